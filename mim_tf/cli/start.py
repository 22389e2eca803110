"""How Keras and its backend start in a command: with threads that suit training, and quietly."""

import contextlib
import importlib
import os
import re
import signal
import sys
import tempfile

_NOTE = re.compile(rb"I\d{4} |WARNING: All log messages before absl::InitializeLog")


def share_cores() -> None:
    """Gives each operation of TensorFlow half of the cores; call it before `import_keras`.

    The convolutions of a step are many and small: two at a time on half of the cores each beat one
    at a time on all of them. benchmarks/README.md has the figures.
    """
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))


def import_keras() -> None:
    """Imports Keras and its backend, without the notes TensorFlow writes on the way."""
    if "keras" not in sys.modules:
        with _without_notes() as stderr, _interruptible(stderr):
            importlib.import_module("keras")


@contextlib.contextmanager
def _without_notes():
    """Leaves TensorFlow's notes out of stderr, and yields the descriptor of the real one.

    TensorFlow 2.21 writes them while it is imported, whatever TF_CPP_MIN_LOG_LEVEL says.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield stderr
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            written.seek(0)
            os.write(2, b"".join(line for line in written if not _NOTE.match(line)))


@contextlib.contextmanager
def _interruptible(stderr):
    """Ends the process at Ctrl-C; modules in C++ would turn it into an ImportError with a trace."""

    def end(*_):
        os.write(stderr, b"\ninterrupted\n")
        os._exit(128 + signal.SIGINT)

    handler = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
