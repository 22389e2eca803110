"""Optional packages, imported where they are needed."""

import importlib.util

from mim_tf.errors import MimError


def import_tensorflow(purpose: str):
    """Import TensorFlow; `purpose` is for the error, such as "to read a TensorFlow 1 checkpoint".

    Raises:
        MimError: if TensorFlow is not installed.
    """
    try:
        import tensorflow
    except ImportError:
        raise MimError(
            f"TensorFlow is needed {purpose} and is not installed: pip install tensorflow."
        ) from None
    return tensorflow


def import_xarray(*backends: str):
    """Import xarray, after checking that `backends`, the packages it reads with, are installed.

    Raises:
        MimError: if one of them is not installed.
    """
    missing = [name for name in ("xarray", *backends) if importlib.util.find_spec(name) is None]
    if missing:
        raise MimError(f'{" and ".join(missing)} not installed: pip install "mim_tf[grid]".')
    import xarray

    return xarray
