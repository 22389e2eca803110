"""Evaluation of a model on a data set."""

import numpy as np
from tqdm import tqdm

from mim_tf.config import TrainingConfig
from mim_tf.data.batches.by_backend import evaluation_dataset, own_errors
from mim_tf.data.batches.order import evaluated
from mim_tf.data.source import SequenceSource
from mim_tf.evaluation.score_set import scores_for
from mim_tf.models import predict


def evaluate(model, source: SequenceSource, config: TrainingConfig, on_sample) -> dict:
    """Scores of the model's forecasts on the first `max_test_sequences`, or all, of `source`.

    Args:
        model: a `VideoPredictor`; it is given `input_length` frames and predicts the rest.
        source: sequences of `total_length` frames.
        config: batch size, number of sequences, number of samples.
        on_sample: called with the number 1, 2, ..., the truth `[T, H, W, C]` and the forecast
            `[horizon, H, W, C]` of each of the first `num_save_samples` sequences.

    Returns:
        As `AccumulatedScores.result`, with the scores of all kinds that make sense for the source.
    """
    context = model.config.input_length
    limit = config.max_test_sequences
    scores, done = scores_for(source), 0
    total = evaluated(source, limit)
    with (
        own_errors(source) as source,
        tqdm(total=total, desc="evaluating", unit="seq", leave=False) as progress,
    ):
        for batch in evaluation_dataset(source, config.batch_size, limit):
            frames, truth = map(np.asarray, batch)
            forecast = predict(
                model, frames[:, :context], frames.shape[1] - context, batch_size=len(frames)
            )
            scores.update(truth[:, context:], forecast)
            for i in range(min(len(frames), config.num_save_samples - done)):
                on_sample(done + i + 1, frames[i], forecast[i])
            done += len(frames)
            progress.update(len(frames))
    return scores.result()
