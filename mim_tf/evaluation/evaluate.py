"""Evaluation of a model on a data set."""

import contextlib
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mim_tf.evaluation.pictures import save_sample
from mim_tf.evaluation.scores import FrameScores
from mim_tf.models import predict


def evaluate(model, batches, sequences: int, samples_folder=None, num_samples: int = 0) -> dict:
    """Scores of the model's forecasts, over all sequences of `batches`.

    Args:
        model: a `VideoPredictor`; it is given `input_length` frames and predicts the rest.
        batches: arrays `[B, total_length, H, W, C]` of any B.
        sequences: their number, for the progress bar.
        samples_folder: where the pictures of the first `num_samples` sequences go, a folder
            `1`, `2`, ... each.
        num_samples: see `samples_folder`.

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
                save_sample(
                    Path(samples_folder) / str(done + i + 1), frames[i], forecast[i], context
                )
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
