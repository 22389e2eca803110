"""Whether arrays are what `fit` and `evaluate` of a network can use."""

import keras
import numpy as np

from mim_tf.errors import MimError

_USUAL = "model.fit(frames, frames[:, 1:])"
_LARGEST = np.finfo(np.float32).max


def first_batch(x, y=None):
    """(x, y) of a first batch: of a `tf.data` set or a `PyDataset`, or what is given.

    Generators are given back as they are: they would lose what is taken from them.
    """
    batch = None
    if isinstance(x, keras.utils.PyDataset):
        batch = x[0] if x.num_batches != 0 else None
    elif hasattr(x, "element_spec") and hasattr(x, "as_numpy_iterator"):  # of tf.data
        batch = next(x.take(1).as_numpy_iterator(), None)
    if batch is None:
        return x, y
    return (*batch, None)[:2] if isinstance(batch, tuple | list) else (batch, None)


def check_training_arrays(x, y=None, clipped: bool = True) -> None:
    """Looks at values and at the shape of targets; `check_frames` looks at that of frames.

    Args:
        x: frames `[B, T, H, W, C]`, or a dict of `frames` and `flags`; anything else is not
            looked at.
        y: targets `[B, T-1, H, W, C]`.
        clipped: whether values of the model's scale end at 0 and 1.

    Raises:
        MimError: if values are outside [0, 1] where they are clipped, frames are not finite, or
            targets are missing or not frames 2..T. Targets may be NaN, where they are missing.
    """
    frames, y = _array(x.get("frames") if isinstance(x, dict) else x), _array(y)
    if not isinstance(frames, np.ndarray):
        return
    if y is None:
        raise MimError(f"Targets must be frames 2..T, received none: {_USUAL}.")
    _check_values("frames", frames, False, clipped)
    if not isinstance(y, np.ndarray) or frames.ndim != 5:  # which the model refuses
        return
    expected = (len(frames), frames.shape[1] - 1, *frames.shape[2:])
    if y.shape != expected:
        raise MimError(
            f"Targets must be frames 2..T, {list(expected)}, received {list(y.shape)}: {_USUAL}."
        )
    _check_values("targets", y, True, clipped)
    if np.array_equal(y, frames[:, :-1]) and not np.array_equal(y, frames[:, 1:]):
        raise MimError(
            "Targets must be frames 2..T, received frames 1..T-1, which the network is given: "
            f"{_USUAL}."
        )


def _array(values):
    return keras.ops.convert_to_numpy(values) if keras.ops.is_tensor(values) else values


def _check_values(name, values, may_miss, clipped):
    smallest, largest = (np.fmin, np.fmax) if may_miss else (np.minimum, np.maximum)
    low, high = (f.reduce(values, axis=None) if values.size else 0 for f in (smallest, largest))
    if may_miss and np.isnan(low):  # all of them
        low = high = 0
    least, most = (0, 1) if clipped else (-_LARGEST, _LARGEST)
    if "float" in values.dtype.name and least <= low and high <= most:
        return
    received = f"received {values.dtype} in [{low}, {high}]"
    if clipped:
        raise MimError(
            f"{name} must be float, finite and in [0, 1], {received}. Divide levels of 0 to 255 "
            "by 255."
        )
    raise MimError(f"{name} must be float and finite, {received}. Values that are missing are 0.")
