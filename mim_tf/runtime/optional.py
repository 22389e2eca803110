"""Optional packages, imported where they are needed."""

import importlib.util

from mim_tf.errors import MimError


def import_tensorflow(purpose: str):
    """Import TensorFlow, or raise `MimError` with the `purpose`, such as "to export a model"."""
    try:
        import tensorflow
    except ImportError:
        raise MimError(f"TensorFlow is needed {purpose}: pip install tensorflow.") from None
    return tensorflow


def import_xarray(*backends: str):
    """Import xarray; raise `MimError` if it or one of the `backends` it reads with is missing."""
    missing = [name for name in ("xarray", *backends) if importlib.util.find_spec(name) is None]
    if missing:
        raise MimError(f'{" and ".join(missing)} not installed: pip install "mim_tf[grid]".')
    import xarray

    return xarray
