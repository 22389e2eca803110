"""The backend of Keras: imported lazily, with a clear error if it is missing.

Keras and its backend take seconds to import. `import mim_tf` and the start of a command do without;
packages import their modules when a name is first used (PEP 562).
"""

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator

from mim_tf.errors import MimError

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX"}  # value of KERAS_BACKEND -> name


class BackendError(MimError, ImportError):
    """The backend of Keras cannot be imported, or mim_tf does not support it."""


def check_backend(name: str) -> None:
    """Raise `BackendError` if mim_tf does not support the backend of that name."""
    if name not in BACKENDS:
        raise BackendError(
            f"Set KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax, not {name}, "
            "before Keras is imported."
        )


@contextlib.contextmanager
def backend_errors() -> Iterator[None]:
    """Turn the error of a missing backend, raised while Keras is imported, into `BackendError`."""
    try:
        yield
    except BackendError:
        raise
    except (ImportError, ValueError) as error:
        # A missing package is named in an ImportError; an unknown backend is a ValueError of Keras.
        check_backend(os.environ.get("KERAS_BACKEND") or "tensorflow")
        missing = (getattr(error, "name", None) or "").partition(".")[0]
        if missing not in BACKENDS:
            raise
        other = next(name for name in BACKENDS if name != missing)
        mending = f"Install it: pip install {missing}, or set KERAS_BACKEND={other}."
        raise BackendError(f"{BACKENDS[missing]} cannot be imported ({error}). {mending}") from None


def lazy_names(package: str, modules: dict[str, str]) -> Callable[[str], object]:
    """Return the `__getattr__` of `package`, which imports names when they are first used.

    `modules` is name -> module that defines it, or "" for a submodule of `package`.
    """

    def __getattr__(name: str) -> object:  # noqa: N807
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with backend_errors():
            if not modules[name]:
                return importlib.import_module(f"{package}.{name}")
            return getattr(importlib.import_module(modules[name]), name)

    return __getattr__


def skip_graph_rewriting() -> None:
    """Switch off TensorFlow's rewriting of graphs in this process; do nothing on other backends.

    Rewriting takes seconds before the first step of a network of this size and does not make later
    steps faster; `benchmarks/README.md` has both figures.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
