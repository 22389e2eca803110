"""How long the sequences of an iteration are."""

from mim_tf.config import TrainingConfig


def sequence_length(
    config: TrainingConfig, iteration: int, total_length: int, input_length: int
) -> tuple[int, int]:
    """Frames of the sequences in iteration 1, 2, ..., and how many of them are context.

    For `short_share` of all iterations they are cut to `short_length` frames, half of
    `total_length` by default, and their context in proportion: an update then costs as much less,
    and what a cell has to learn of motion shows in few frames already.

    Args:
        config: of the training.
        iteration: from 1.
        total_length: frames of the data's sequences.
        input_length: context length of the model.
    """
    if iteration > config.short_share * config.max_iterations:
        return total_length, input_length
    short = min(max(config.short_length or total_length // 2, 2), total_length)
    context = round(input_length * short / total_length)
    return short, min(max(context, 1), short - 1)
