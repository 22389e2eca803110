"""The backends of Keras that mim_tf computes with, and what to say where there is none."""

import importlib.util
import os
import sys

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
