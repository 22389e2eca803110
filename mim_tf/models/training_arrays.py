"""Whether arrays are what `fit` and `evaluate` of a network can use."""

import numpy as np

from mim_tf.errors import MimError

_USUAL = "model.fit(frames, frames[:, 1:])"


def check_training_arrays(x, y) -> None:
    """Looks at arrays; data sets, which give their values later, are passed over.

    Args:
        x: frames `[B, T, H, W, C]`, or a dict of `frames` and `flags`.
        y: targets `[B, T-1, H, W, C]`.

    Raises:
        MimError: if values are outside [0, 1], frames are not finite, or targets are missing or
            not frames 2..T. Targets may be NaN, where they are missing.
    """
    frames = x.get("frames") if isinstance(x, dict) else x
    if not isinstance(frames, np.ndarray):
        return
    if y is None:
        raise MimError(f"Targets must be frames 2..T, received none: {_USUAL}.")
    _check_values("frames", frames, np.min, np.max)
    if not isinstance(y, np.ndarray):
        return
    expected = (len(frames), frames.shape[1] - 1, *frames.shape[2:])
    if y.shape != expected:
        raise MimError(
            f"Targets must be frames 2..T, {list(expected)}, received {list(y.shape)}: {_USUAL}."
        )
    _check_values("targets", y, np.fmin.reduce, np.fmax.reduce)
    if np.array_equal(y, frames[:, :-1]) and not np.array_equal(y, frames[:, 1:]):
        raise MimError(
            "Targets must be frames 2..T, received frames 1..T-1, which the network is given: "
            f"{_USUAL}."
        )


def _check_values(name, values, smallest, largest):
    """The least and largest are NaN where values are: all of them, of those that pass over NaN."""
    low, high = (smallest(values, axis=None), largest(values, axis=None)) if values.size else (0, 0)
    if values.dtype.kind != "f" or low < 0 or high > 1 or (smallest is np.min and np.isnan(low)):
        raise MimError(
            f"{name} must be float, finite and in [0, 1], received {values.dtype} in "
            f"[{low}, {high}]. Divide levels of 0 to 255 by 255."
        )
