"""Evaluation of a model on a data set and on the test split, and analysis of its gates."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import logging
from tqdm import tqdm

from mim_tf.config import DataConfig, TrainingConfig
from mim_tf.data.batches import errors_of, evaluation_dataset
from mim_tf.data.batches.order import evaluated, evaluated_batches
from mim_tf.data.dataset import open_source
from mim_tf.data.source import SequenceSource, filled
from mim_tf.evaluation.baselines import ReferenceScores, verdict
from mim_tf.evaluation.forget_gates import InsideStatistics
from mim_tf.evaluation.pictures import ErrorMap, load_samples, save_sample
from mim_tf.evaluation.protocols import scores_for
from mim_tf.evaluation.statistics import interval
from mim_tf.evaluation.stored import basis, format_scores, write_scores
from mim_tf.models import VideoPredictor
from mim_tf.models.machine import check_prediction
from mim_tf.report.pages import write_report_or_warn
from mim_tf.runs.folder import new_run_folder
from mim_tf.runs.record import write_record
from mim_tf.runtime.backend import skip_graph_rewriting
from mim_tf.weights.by_name import find_weights


def evaluate(
    model, source: SequenceSource, config: TrainingConfig, on_sample: Callable[..., None]
) -> dict:
    """Score the model's forecasts on `max_test_sequences`, or all, of `source`.

    Args:
        model: a `VideoPredictor`; its context are `input_length` frames, it predicts the rest.
        source, config: the sequences, and the settings of a training that concern evaluations.
        on_sample: called with the number 1, 2, ..., the truth `[T, H, W, C]`, NaN where a value is
            missing, and the forecast `[horizon, H, W, C]` of each of the first `num_save_samples`
            sequences.

    Returns:
        What `write_scores` writes: the scores of all kinds that make sense for the source, their
        `intervals`, values `per_sequence` and `resamples`; the `groups` of sequences that are not
        independent, and how many `recordings` these are; `data` and `baselines` of
        `ReferenceScores`; `protocol` and `input_length`; and as `samples` the arrays of
        `load_samples` with the `error_map`.
    """
    context, limit = model.config.input_length, config.max_test_sequences
    scores, error_map = scores_for(source, config.protocol), ErrorMap(source.scale)
    reference = ReferenceScores(source, context, limit, config.protocol)
    indices = evaluated(source, limit)
    batch_size = min(config.batch_size, len(indices))
    check_prediction(model.config, batch_size, source.shape[0])

    def forecast(frames):
        return model.forecast(frames[:, :context], frames.shape[1] - context, batch_size)

    with (
        errors_of(source) as watched,
        tqdm(total=len(indices), desc="evaluating", unit="seq", leave=False) as progress,
    ):
        for arrays in evaluation_dataset(watched, batch_size, limit):
            frames, truth = map(np.asarray, arrays)
            predicted, done = forecast(frames), scores.sequences
            batch = scores.update(truth[:, context:], predicted)
            error_map.update(batch.truth, predicted)
            reference.update(frames, truth, batch)
            for i in range(min(len(frames), config.num_save_samples - done)):
                on_sample(done + i + 1, truth[i], predicted[i])
            progress.update(len(frames))

    per_sequence = scores.per_sequence()
    samples = load_samples(per_sequence["mse"], source, indices, forecast, batch_size)
    recordings, groups = np.unique(source.groups(indices), return_inverse=True)
    count, resamples = len(recordings), scores.resampled(groups)
    return {
        **scores.result(),
        "recordings": count,
        "intervals": {name: interval(means, count) for name, means in resamples.items()},
        **scores.details(),
        "protocol": config.protocol,
        "input_length": context,
        **reference.result(groups),
        "per_sequence": per_sequence,
        "groups": groups,
        "resamples": resamples,
        "samples": {**samples, "error_map": error_map.result()},
    }


def evaluate_weights(
    network: VideoPredictor, data: DataConfig, training: TrainingConfig, weights: str
) -> tuple[str, Path]:
    """Score a network with its `weights` on test sequences and write scores and pictures.

    Returns:
        The scores, what their intervals rest on, `verdict` and, if `data.test_sha256` is given,
        whether the sequences have it, as text; and the new folder `gen_frm_dir/test-...`.
    """
    skip_graph_rewriting()
    model = network.config
    source = open_source(data, model, "test")
    check_step(model.frame_step, source.frame_step)
    folder = new_run_folder(training.gen_frm_dir, "test")
    record = {"pretrained_model": os.path.realpath(find_weights(weights)), **source.describe()}
    write_record(folder, model, data, training, {"test": record})

    def save(number, truth, forecast):
        save_sample(folder / str(number), truth, forecast, model.input_length, source.scale)

    result = evaluate(network, source, training, save)
    write_scores(folder, result, model.input_length)
    write_report_or_warn(folder)
    parts = [format_scores(result, model.input_length), f"{basis(result)}\n{verdict(result)}"]
    if data.test_sha256:
        parts.append(identity(result, source.size, data.test_sha256))
    return "\n\n".join(parts), folder


def check_step(learnt: str, found: str) -> None:
    """Log a warning if frames are not as far apart as in training; "" where that is unknown."""
    if learnt and found not in ("", learnt):
        message = "Expected frames %s apart, as in training, got %s. Set --frame_interval."
        logging.warning(message, learnt, found)


def identity(result: dict, size: int | None, expected: str) -> str:
    """Return a sentence: whether the sequences of an evaluation, of `size`, have the SHA-256."""
    data, count = result["data"], result["sequences"]
    if data["sha256"] == expected:
        return f"These are the {count:,} sequences of --test_sha256."
    if size and count < size:
        return f"Scored were {count:,} of {size:,} sequences; --test_sha256 is of all."
    digits = f" The digits are: {data['digits_origin']}." if "digits_origin" in data else ""
    found = f"expected {expected}, got {data['sha256']}.{digits}"
    return f"These are NOT the sequences of --test_sha256: {found}"


def analyze(model, data: DataConfig, sequences: int, batch_size: int, low: float, high: float):
    """Return what `InsideStatistics` finds in a network on so many test sequences."""
    source = open_source(data, model.config, "test")
    statistics = InsideStatistics(model, low, high)
    batches = evaluated_batches(source, batch_size, sequences)
    for indices in tqdm(batches, desc="analyzing", unit="batch", leave=False):
        statistics.update(filled(source.sequences(indices)))
    return statistics.result()


def analysis_table(result: dict) -> list[list]:
    """Return rows of what, gate or memory, and the value of each frame; a header first."""
    rows = []
    for gate, share in result["saturation"].items():
        rows += [[f"share {side}", gate, *values] for side, values in share.items()]
    for layer, memories in result["norms"].items():
        rows += [["norm", f"{memory}, {layer}", *values] for memory, values in memories.items()]
    frames = range(1, len(rows[0]) - 1) if rows else []
    return [["what", "where", *frames], *rows]


def analysis_summary(result: dict, low: float, high: float) -> str:
    """Return the means over frames of what is saturated, and the norms at both ends."""
    lines = [f"Saturated gate values (below {low:g} or above {high:g}), mean over frames:"]
    for gate, share in result["saturation"].items():
        below, above = (sum(share[side]) / len(share[side]) for side in ("below", "above"))
        lines.append(f"  {gate:40s} {below + above:6.1%}  ({below:.1%} below, {above:.1%} above)")
    lines += ["Norms, first and last frame:"] if result["norms"] else []
    for layer, memories in result["norms"].items():
        for memory, values in memories.items():
            lines.append(f"  {memory}, {layer:37s} {values[0]:10.3f} {values[-1]:10.3f}")
    return "\n".join(lines)
