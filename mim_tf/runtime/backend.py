"""The backends of Keras that mim_tf computes with, and what to say where there is none."""

import contextlib
import importlib
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from typing import Any

from mim_tf.errors import MimError

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX"}
"""Value of KERAS_BACKEND -> name."""


class BackendError(MimError, ImportError):
    """The backend cannot be imported, or is none of `BACKENDS`."""


def check_backend(name: str) -> None:
    """Raises `BackendError` if mim_tf does not compute with the backend of that name."""
    if name not in BACKENDS:
        raise BackendError(
            f"mim_tf computes with TensorFlow or JAX; received KERAS_BACKEND={name}. Set "
            "KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax before Keras is imported."
        )


def import_failed(error: Exception) -> BackendError | None:
    """What to say after `error` at the import of Keras; None if the backend is not its cause."""
    # Keras reads the variable, or else its file ~/.keras/keras.json, before it imports a backend.
    settings = sys.modules.get("keras.src.backend.config")
    name = settings.backend() if settings else os.environ.get("KERAS_BACKEND") or "tensorflow"
    if name not in BACKENDS:
        try:
            check_backend(name)
        except BackendError as words:
            return words
    if not isinstance(error, ImportError) or (error.name or "").partition(".")[0] != name:
        return None
    others = [other for other in BACKENDS if other != name and _is_installed(other)]
    if others:
        mending = f"{BACKENDS[others[0]]} is installed: set KERAS_BACKEND={others[0]}."
    else:
        mending = f"Install it: pip install {name}."
    return BackendError(
        f"Keras was to compute with {BACKENDS[name]}, which cannot be imported ({error}). {mending}"
    )


def _is_installed(package):
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # a module that is there, but not imported from a file
        return False


# MERGED: A quicker first step.


def skip_graph_rewriting() -> None:
    """Switches off TensorFlow's rewriting of graphs, in this process; nothing on other backends.

    It takes seconds before the first step of a network this size, and the steps after it are no
    faster: `benchmarks/README.md` has both figures.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


# MERGED: What goes with the import of Keras once mim_tf is imported, whoever imports Keras.
#
# Keras and its backend take seconds to import, and commands answer a mistyped flag without them. So
# `import mim_tf` leaves them alone and waits here. When Keras is imported, TensorFlow is kept quiet,
# what goes wrong is said in words, and `keras.saving.load_model` gets to know our classes.


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
            importlib.import_module("mim_tf.runtime.keras_objects")


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
