"""Evaluation of a model on a data set."""

import contextlib

import numpy as np
from tqdm import tqdm

from mim_tf.evaluation.scores import FrameScores
from mim_tf.models import predict


def evaluate(model, batches, sequences: int, num_samples: int = 0, on_sample=None) -> dict:
    """Scores of the model's forecasts, over all sequences of `batches`.

    Args:
        model: a `VideoPredictor`; it is given `input_length` frames and predicts the rest.
        batches: arrays `[B, total_length, H, W, C]` of any B.
        sequences: their number, for the progress bar.
        num_samples: how many of the first sequences to show.
        on_sample: called with the number 1, 2, ..., the truth `[T, H, W, C]` and the forecast
            `[horizon, H, W, C]` of each of these.

    Returns:
        The result of `FrameScores`.
    """
    context = model.config.input_length
    scores, done = FrameScores(), 0
    with tqdm(total=sequences, desc="evaluating", unit="seq", leave=False) as progress:
        for frames in batches:
            frames = np.asarray(frames)
            forecast = predict(
                model, frames[:, :context], frames.shape[1] - context, batch_size=len(frames)
            )
            scores.update(frames[:, context:], forecast)
            for i in range(min(len(frames), num_samples - done)):
                on_sample(done + i + 1, frames[i], forecast[i])
            done += len(frames)
            progress.update(len(frames))
    return scores.result()


@contextlib.contextmanager
def averaged_weights(model):
    """Within it, the model's weights are their moving average; needs a compiled `use_ema`."""
    raw = [weight.numpy() for weight in model.trainable_variables]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for weight, value in zip(model.trainable_variables, raw, strict=True):
            weight.assign(value)
