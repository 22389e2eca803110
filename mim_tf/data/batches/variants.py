"""What is learnt of one batch."""

from mim_tf.config import TrainingConfig


def variants(config: TrainingConfig) -> list[tuple[slice, ...]]:
    """The index into frames `[B, T, H, W, C]` that gives each variant of a batch, in order.

    As the frames are; then mirrored left to right (`reverse_img`), backwards in time
    (`reverse_input`), and both. Source: 2019 code, `train`.
    """
    every, reverse = slice(None), slice(None, None, -1)
    times = (every, reverse) if config.reverse_input else (every,)
    widths = (every, reverse) if config.reverse_img else (every,)
    return [(every, time, every, width) for time in times for width in widths]
