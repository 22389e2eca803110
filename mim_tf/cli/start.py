"""How Keras and its backend start in a command."""

import contextlib
import importlib
import os
import signal
import sys

from absl import flags

from mim_tf.backends import check_backend


def share_cores() -> None:
    """Gives each operation of TensorFlow half of the cores; call it before `import_keras`.

    The convolutions of a step are many and small: two at a time on half of the cores each beat one
    at a time on all of them. benchmarks/README.md has the figures.
    """
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))


def define_network_flag(values: flags.FlagValues) -> None:
    """Defines --network_module, for `import_keras`."""
    flags.DEFINE_string(
        "network_module",
        "",
        "Python file to run first, which registers a network of your own: docs/networks.md.",
        flag_values=values,
    )


def import_keras(network_module: str = "") -> None:
    """Imports Keras and its backend, and networks of one's own.

    Args:
        network_module: Python file that registers them; empty: there is none.

    Raises:
        BackendError: if the backend is missing, or mim_tf does not compute with it.
        MimError: if the file is missing, fails or registers no network.
    """
    if "keras" not in sys.modules:
        with _interruptible():
            keras = importlib.import_module("keras")
        check_backend(keras.backend.backend())
    if network_module:
        from mim_tf.models.network_module import import_network_module

        import_network_module(network_module)


@contextlib.contextmanager
def _interruptible():
    """Ends the process at Ctrl-C; modules in C++ would turn it into an ImportError with a trace."""
    stderr = os.dup(2)  # elsewhere while Keras is imported, see mim_tf/keras_import.py

    def end(*_):
        os.write(stderr, b"\ninterrupted\n")
        os._exit(128 + signal.SIGINT)

    handler = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        os.close(stderr)
