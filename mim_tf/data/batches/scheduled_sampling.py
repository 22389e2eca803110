"""Which true frames a network is given after the context while it is trained."""

import numpy as np

from mim_tf.config import TrainingConfig


def true_frame_probability(config: TrainingConfig, iteration: int) -> float:
    """Probability, in iteration 1, 2, ..., that a frame after the context is the true one.

    It falls linearly from `sampling_start_value` to 0; how fast, and where it ends, the other
    fields `sampling_...` say. 0 without `scheduled_sampling`.

    Source: Bengio et al. (NeurIPS 2015); 2019 code, `schedule_sampling`.
    """
    if not config.scheduled_sampling:
        return 0.0
    if config.sampling_share:
        fallen = iteration / (config.sampling_share * config.max_iterations)
        return config.sampling_start_value * max(1 - fallen, 0.0)
    if iteration >= config.sampling_stop_iter:
        return 0.0
    fallen = config.sampling_changing_rate * iteration
    return max(config.sampling_start_value - fallen, 0.0)


def draw_flags(config: TrainingConfig, iteration: int, rows, steps: int) -> np.ndarray:
    """Flags of a batch, 1 where the network is given the true frame and 0 where its prediction.

    They depend on the seed, the iteration and the row alone, so that a resumed run and each of
    several processes draw what one uninterrupted process would have.

    Args:
        config: of the training.
        iteration: 1, 2, ...; all its updates have the same flags.
        rows: of the batch, those to draw for.
        steps: frames after the context that a prediction follows.

    Returns:
        float32 `[len(rows), steps]`.
    """
    random = np.random.default_rng([config.seed, iteration])
    drawn = random.random((config.batch_size, steps))[rows]
    return np.float32(drawn < true_frame_probability(config, iteration))
