"""Packages that only some of the programs need."""

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
