"""Evaluation of a model on a data set."""

import numpy as np
from tqdm import tqdm

from mim_tf.config import TrainingConfig
from mim_tf.data.batches.by_backend import evaluation_dataset, own_errors
from mim_tf.data.batches.order import evaluated
from mim_tf.data.source import SequenceSource
from mim_tf.evaluation.accumulated import AccumulatedScores
from mim_tf.evaluation.categorical import CategoricalScores
from mim_tf.evaluation.physical import PhysicalErrors
from mim_tf.evaluation.scores import FrameScores
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
            for score in scores:
                score.update(truth[:, context:], forecast)
            for i in range(min(len(frames), config.num_save_samples - done)):
                on_sample(done + i + 1, frames[i], forecast[i])
            done += len(frames)
            progress.update(len(frames))
    return _together(score.result() for score in scores)


def scores_for(source: SequenceSource) -> list[AccumulatedScores]:
    """Empty scores of all kinds that make sense for `source`."""
    scores = [FrameScores()]
    if source.scale:
        scores.append(PhysicalErrors(source.scale))
    if source.thresholds:
        scores.append(CategoricalScores(source.scale, source.thresholds))
    return scores


def _together(results):
    first, *others = results
    for other in others:
        for part in ("mean", "per_frame"):
            first[part] |= other[part]
    return first
