"""Evaluation of a model on a data set."""

from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from mim_tf.config import TrainingConfig
from mim_tf.data.batches.by_backend import errors_of, evaluation_dataset
from mim_tf.data.batches.order import evaluated
from mim_tf.data.source import SequenceSource
from mim_tf.evaluation.error_map import ErrorMap
from mim_tf.evaluation.reference import ReferenceScores
from mim_tf.evaluation.samples import load_samples
from mim_tf.evaluation.score_set import scores_for
from mim_tf.models.size import check_prediction


def evaluate(
    model,
    source: SequenceSource,
    config: TrainingConfig,
    on_sample: Callable[[int, np.ndarray, np.ndarray], None],
    protocol: str = "mim2019",
) -> dict:
    """Scores of the model's forecasts on the first `max_test_sequences`, or all, of `source`.

    Args:
        model: a `VideoPredictor`; its context are `input_length` frames, it predicts the rest.
        source: sequences of `total_length` frames.
        config: batch size, number of sequences, number of samples.
        on_sample: called with the number 1, 2, ..., the truth `[T, H, W, C]`, NaN where a value is
            missing, and the forecast `[horizon, H, W, C]` of each of the first `num_save_samples`
            sequences.
        protocol: of `PROTOCOLS`.

    Returns:
        What `write_scores` writes. Scores of all kinds that make sense for the source, as
        `AccumulatedScores` has them: `sequences`, `mean`, `per_frame`, `intervals`,
        `per_sequence`, and `spectra` of data with physical values. As `ReferenceScores` has them:
        `data` and `baselines`. Further `protocol` and `input_length`, and the arrays of
        `load_samples` with the `error_map`: `samples`.
    """
    context, limit = model.config.input_length, config.max_test_sequences
    scores, error_map = scores_for(source, protocol), ErrorMap(source.scale)
    reference = ReferenceScores(source, context, limit, protocol)
    total = evaluated(source, limit)
    batch_size = min(config.batch_size, total)
    check_prediction(model.config, batch_size, source.shape[0])

    def forecast(frames):
        horizon = frames.shape[1] - context
        return model.forecast(frames[:, :context], horizon, batch_size)

    with (
        errors_of(source) as watched,
        tqdm(total=total, desc="evaluating", unit="seq", leave=False) as progress,
    ):
        for batch in evaluation_dataset(watched, batch_size, limit):
            frames, truth = map(np.asarray, batch)
            predicted = forecast(frames)
            done = scores.sequences
            scores.update(truth[:, context:], predicted)
            error_map.update(truth[:, context:], predicted)
            reference.update(frames, truth)
            for i in range(min(len(frames), config.num_save_samples - done)):
                on_sample(done + i + 1, truth[i], predicted[i])
            progress.update(len(frames))

    per_sequence = scores.per_sequence()
    samples = load_samples(per_sequence["mse"], source, forecast, batch_size)
    return {
        **scores.result(),
        "intervals": scores.intervals(),
        **scores.details(),
        "protocol": protocol,
        "input_length": context,
        **reference.result(),
        "per_sequence": per_sequence,
        "samples": {**samples, "error_map": error_map.result()},
    }
