"""What goes with the import of Keras once mim_tf is imported, whoever imports Keras.

Keras and its backend take seconds to import, and commands answer a mistyped flag without them. So
`import mim_tf` leaves them alone and waits here. When Keras is imported, TensorFlow is kept quiet,
what goes wrong is said in words, and `keras.saving.load_model` gets to know our classes.
"""

import contextlib
import importlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from typing import Any

from mim_tf.backends import import_failed

_NOTE = re.compile(
    rb"I\d{4} |WARNING: All log messages before absl::InitializeLog"
    rb"|To enable the following instructions: "
)


def prepare() -> None:
    """Has our classes registered with Keras: now if it is imported, or else once it is."""
    watch = _Watch()
    sys.meta_path.insert(0, watch)
    watch.register()


class _Watch:
    """Finder that finds these modules as Python would, and adds to their import.

    Where one of our modules is the first to import Keras, it has to be complete before others that
    need it are imported: classes are registered after the outermost import.
    """

    def __init__(self):
        self.depth = 0
        self.registered = False

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        """What the other finders find, if it is Keras, TensorFlow or ours."""
        if name not in _AROUND and not name.startswith("mim_tf."):
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in specs if spec), None)
        if spec and spec.loader:
            loader: Any = spec.loader
            loader.exec_module = self._watched(loader.exec_module)
        return spec

    def _watched(self, load):
        def exec_module(module):
            self.depth += 1
            try:
                with _AROUND.get(module.__name__, contextlib.nullcontext)():
                    load(module)
            finally:
                self.depth -= 1
            if self.depth == 0:
                self.register()

        return exec_module

    def register(self) -> None:
        """Registers our classes if Keras is there, the first time."""
        if sys.modules.get("keras") and not self.registered:
            self.registered = True
            importlib.import_module("mim_tf.keras_objects")


@contextlib.contextmanager
def _in_words():
    with without_notes():
        try:
            yield
        except (ImportError, ValueError) as error:
            if words := import_failed(error):
                raise words from None
            raise


@contextlib.contextmanager
def without_notes() -> Iterator[None]:
    """Leaves TensorFlow's notes out of stderr, unless TF_CPP_MIN_LOG_LEVEL asks for them.

    TensorFlow 2.21 writes some of them while it is imported, whatever that variable says.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # closed
        stderr = None
    if stderr is None or os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0") == "0":
        yield
        return
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            if sys.stderr:
                sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            written.seek(0)
            os.write(2, b"".join(line for line in written if not _NOTE.match(line)))


# With JAX, Keras imports TensorFlow at the first `fit`, where it is installed.
_AROUND = {"keras": _in_words, "tensorflow": without_notes}
