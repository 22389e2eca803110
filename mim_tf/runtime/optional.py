"""Packages that only some of the programs need."""

import importlib.util

from mim_tf.errors import MimError


def import_tensorflow(purpose: str):
    """The module `tensorflow`, which takes seconds to load.

    Args:
        purpose: what it is needed for, such as "to read a TensorFlow 1 checkpoint".

    Raises:
        MimError: if it is not installed.
    """
    try:
        import tensorflow
    except ImportError:
        raise MimError(
            f"TensorFlow is needed {purpose} and is not installed: pip install tensorflow."
        ) from None
    return tensorflow


def import_fss_backend():
    """The class of the package `scores` that counts events in windows.

    Raises:
        MimError: if it is not installed.
    """
    try:
        from scores.fast.fss.fss_numpy import FssNumpy
    except ImportError:
        raise MimError(
            "The package scores is needed for the fractions skill score (--protocol=pysteps) and "
            "is not installed: pip install 'mim_tf[scores]'. Every other --protocol does without."
        ) from None
    return FssNumpy


def import_xarray(*backends: str):
    """The module `xarray`, once it is known that it and `backends`, which it reads with, are there.

    Raises:
        MimError: if one of them is not installed.
    """
    missing = [name for name in ("xarray", *backends) if importlib.util.find_spec(name) is None]
    if missing:
        raise MimError(
            f"Fields with coordinates need {' and '.join(missing)}, not installed: "
            'pip install "mim_tf[grid]".'
        )
    import xarray

    return xarray
