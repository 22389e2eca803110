"""What a network is called with."""

import keras

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError


def frames_and_flags(inputs):
    """(frames, flags) of the inputs of a `VideoPredictor`; flags are None where there are none."""
    return (inputs["frames"], inputs["flags"]) if isinstance(inputs, dict) else (inputs, None)


def check_frames(config: ModelConfig, frames, flags=None) -> None:
    """Raises `MimError` for frames whose shape or type is not the model's; looks at no values.

    Args:
        config: of the model.
        frames: an array, or a tensor of any kind, whose sizes may be unknown.
        flags: what is given with them, `[B, S]`.
    """
    shortest = config.input_length + 1 if flags is None else (flags.shape[1] or 0) + 2
    length = frames.shape[1] if len(frames.shape) == 5 else 0
    fits = tuple(frames.shape[2:]) == config.frame_shape
    if not fits or (length is not None and length < shortest):
        expected = ", ".join(map(str, config.frame_shape))
        raise MimError(
            f"frames must be [B, T, {expected}] (B, T, H, W, C) with T at least {shortest}, "
            f"one more than the context; received {tuple(frames.shape)}."
            + fits
            * " To predict what follows them, call mim_tf.predict(model, frames, horizon)."
        )
    dtype = keras.backend.standardize_dtype(frames.dtype)
    if "float" in dtype:
        return
    if config.frame_scale.clipped:
        raise MimError(
            f"frames must be float in [0, 1], received {dtype}. Divide levels of 0 to 255 by 255."
        )
    raise MimError(
        f"frames must be float, on the scale of the model, received {dtype}: give "
        "model.config.scale.to_unit(values)."
    )
