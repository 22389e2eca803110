"""How Keras and its backend start in a command."""

import contextlib
import importlib
import os
import signal
import sys

from mim_tf.backends import check_backend


def share_cores() -> None:
    """Gives each operation of TensorFlow half of the cores; call it before `import_keras`.

    The convolutions of a step are many and small: two at a time on half of the cores each beat one
    at a time on all of them. benchmarks/README.md has the figures.
    """
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))


def import_keras() -> None:
    """Imports Keras and its backend.

    Raises:
        BackendError: if the backend is missing, or mim_tf does not compute with it.
    """
    if "keras" not in sys.modules:
        with _interruptible():
            keras = importlib.import_module("keras")
        check_backend(keras.backend.backend())


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
