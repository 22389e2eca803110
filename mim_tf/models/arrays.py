"""Checks of the arrays that users give to a network: shape, dtype and values."""

import keras
import numpy as np

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError

_USAGE = "Call model.fit(frames, frames[:, 1:])."
_TO_UNIT = "Convert with model.config.scale.to_unit(values), and back with to_physical."
_DIVIDE = "Divide levels of 0 to 255 by 255."


def frames_and_flags(inputs):
    """Return (frames, flags) of the inputs of a `VideoPredictor`; flags may be None."""
    return (inputs["frames"], inputs["flags"]) if isinstance(inputs, dict) else (inputs, None)


def check_frames(config: ModelConfig, frames, flags=None) -> None:
    """Raise `MimError` for frames whose shape or dtype does not fit the model.

    `frames` is an array or a tensor, possibly of unknown sizes, whose values are not read.
    """
    shortest = config.input_length + 1 if flags is None else (flags.shape[1] or 0) + 2
    length = frames.shape[1] if len(frames.shape) == 5 else 0
    fits = tuple(frames.shape[2:]) == config.frame_shape
    if not fits or (length is not None and length < shortest):
        hint = " To predict the frames after a context, call mim_tf.predict." if fits else ""
        raise MimError(
            f"Expected frames {_shape(config)} (B, T, H, W, C) with T at least {shortest}, one "
            f"more than the context, got {tuple(frames.shape)}.{hint}"
        )
    _check_float("frames", frames, config.frame_scale.clipped)


def checked_context(context, config: ModelConfig, dtype: str = "float32") -> np.ndarray:
    """Return `context` as `dtype`, with uint8 divided by 255.

    Raises:
        MimError: for another shape than the model's, for values that are not finite or leave the
            model's scale, and for uint8 if that scale is not clipped to [0, 1].
    """
    context, clipped = np.asarray(context), config.frame_scale.clipped
    if context.ndim != 5 or context.shape[2:] != config.frame_shape or not context.size:
        raise MimError(
            f"Expected a context {_shape(config)} (B, T, H, W, C) with B and T at least 1, got "
            f"{context.shape}."
        )
    if context.dtype == np.uint8:
        if clipped:
            return context.astype(dtype) / 255
        _check_float("context", context, clipped)
    context = context.astype(dtype)
    _check_values("context", context, clipped)
    return context


def check_training_arrays(x, y=None, clipped: bool = True) -> None:
    """Check values of frames and targets, and the targets' shape; see also `check_frames`.

    `x` are frames `[B, T, H, W, C]`, or a dict of `frames` and `flags`; other types are ignored.
    `y` are targets `[B, T-1, H, W, C]`; NaN means missing.

    Raises:
        MimError: for values that are not finite or leave [0, 1] on a `clipped` scale, and for
            targets that are not frames 2..T.
    """
    frames, y = _array(x.get("frames") if isinstance(x, dict) else x), _array(y)
    if not isinstance(frames, np.ndarray):
        return
    if y is None:
        raise MimError(f"Expected frames 2..T as targets, got none. {_USAGE}")
    _check_float("frames", frames, clipped)
    _check_values("frames", frames, clipped)
    if not isinstance(y, np.ndarray) or frames.ndim != 5:  # the model raises for these
        return
    expected = (len(frames), frames.shape[1] - 1, *frames.shape[2:])
    if y.shape != expected:
        raise MimError(
            f"Expected frames 2..T as targets, {list(expected)}, got {list(y.shape)}. {_USAGE}"
        )
    _check_float("targets", y, clipped)
    _check_values("targets", y, clipped, may_be_nan=True)
    # A common mistake has the right shape: the network would learn to copy its input.
    if np.array_equal(y, frames[:, :-1]) and not np.array_equal(y, frames[:, 1:]):
        raise MimError(f"Expected frames 2..T as targets, got frames 1..T-1. {_USAGE}")


def first_batch(x, y=None):
    """Return (x, y) of the first batch of a `tf.data` set or `PyDataset`; other data unchanged.

    Generators are returned unchanged, because a batch taken from a generator would be lost.
    """
    batch = None
    if isinstance(x, keras.utils.PyDataset):
        batch = x[0] if x.num_batches != 0 else None
    elif hasattr(x, "element_spec") and hasattr(x, "as_numpy_iterator"):  # tf.data
        batch = next(x.take(1).as_numpy_iterator(), None)
    if batch is None:
        return x, y
    return (*batch, None)[:2] if isinstance(batch, tuple | list) else (batch, None)


def _shape(config):
    return f"[B, T, {', '.join(map(str, config.frame_shape))}]"


def _array(values):
    return keras.ops.convert_to_numpy(values) if keras.ops.is_tensor(values) else values


def _check_float(name, values, clipped):
    if "float" not in (dtype := keras.backend.standardize_dtype(values.dtype)):
        hint = _DIVIDE if clipped else _TO_UNIT
        raise MimError(f"Expected float {name} on the scale of the model, got {dtype}. {hint}")


def _check_values(name, values, clipped, may_be_nan=False):
    # fmin and fmax ignore NaN; minimum and maximum return it, and NaN fails the comparison.
    smallest, largest = (np.fmin, np.fmax) if may_be_nan else (np.minimum, np.maximum)
    low, high = (each.reduce(values, axis=None, initial=0) for each in (smallest, largest))
    least, most = (0, 1) if clipped else (-np.finfo(np.float32).max, np.finfo(np.float32).max)
    if not (least <= low and high <= most):
        bounds, hint = ("in [0, 1]", _DIVIDE) if clipped else ("finite", "Replace NaN by 0.")
        raise MimError(f"Expected {name} {bounds}, got values in [{low}, {high}]. {hint}")
