"""Evaluation of any model on a data set and on the test split, and analysis of its gates."""

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from absl import logging
from tqdm import tqdm

from mim_tf.config import DataConfig, TrainingConfig
from mim_tf.data.batches import errors_of, evaluation_dataset
from mim_tf.data.batches.order import evaluated, evaluated_batches
from mim_tf.data.dataset import frame_shape, open_source
from mim_tf.data.files.arrays import ArraySource
from mim_tf.data.source import SequenceSource, filled
from mim_tf.errors import MimError
from mim_tf.evaluation.baselines import ReferenceScores, verdict
from mim_tf.evaluation.forget_gates import inside_statistics
from mim_tf.evaluation.pictures import ErrorMap, load_samples, save_sample
from mim_tf.evaluation.protocols import scores_for
from mim_tf.evaluation.statistics import intervals
from mim_tf.evaluation.stored import basis, format_scores, write_scores
from mim_tf.models import VideoPredictor
from mim_tf.models.machine import check_prediction
from mim_tf.models.rollout import apart, together
from mim_tf.prediction.matching import matching
from mim_tf.report.pages import write_report_or_warn
from mim_tf.report.read import read_run_record
from mim_tf.runs.folder import RECORD, new_run_folder
from mim_tf.runs.record import write_record
from mim_tf.runtime.backend import skip_graph_rewriting
from mim_tf.values.scale import UNIT
from mim_tf.weights.by_name import find_weights

_FAR_BEYOND_1 = 20  # no forecast on a scale that ends at 1 reaches it, but levels of 0 to 255 do

Forecast = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Frames `[B, T, H, W, C]`, 0 where missing, and their indices -> `[B, horizon, H, W, C]`."""


def evaluate(
    forecast: Callable[..., Any],
    source: SequenceSource | np.ndarray,
    config: TrainingConfig | None = None,
    on_sample: Callable[..., None] | None = None,
    input_length: int | None = None,
    folder: str | Path | None = None,
) -> dict:
    """Score the forecasts of any model on the sequences of `source`.

    Args:
        forecast: a `VideoPredictor`; a Keras model, from the context `[B, input_length, H, W, C]`
            to the frames after it `[B, horizon, H, W, C]`; or a function of the context and the
            horizon that returns these frames. Frames are on the scale of the source, 0 where a
            value is missing.
        source: the sequences, see `open_source`; or an array `[N, T, H, W]` or `[N, T, H, W, C]`,
            uint8 or float in [0, 1].
        config: `protocol`, `batch_size`, `max_test_sequences` and `num_save_samples` are used.
            Without one all sequences are scored; one scores 800 if it does not say how many.
        on_sample: called with the number 1, 2, ..., the truth `[T, H, W, C]`, NaN where a value is
            missing, and the forecast `[horizon, H, W, C]` of each of the first `num_save_samples`
            sequences; by default `folder/NUMBER` gets pictures of them.
        input_length: frames of the context; by default those of the model, if it has them.
        folder: for scores, pictures and a page, which `mim compare`, `mim report` and
            `mim filmstrip` take.

    Returns:
        The scores, see `scored`.

    Raises:
        MimError: if the forecast has another shape or is not finite, or the context is unknown.
    """
    config = config or TrainingConfig(max_test_sequences=0)
    if isinstance(source, np.ndarray):
        source = ArraySource(source)
    if not isinstance(source, SequenceSource):
        expected = "a source of mim_tf.open_source, or a NumPy array"
        raise MimError(f"Expected {expected}, got {type(source).__name__}. Convert it.")
    predict, context = _forecast_of(forecast, source, input_length, config)
    return scored(predict, source, context, config, on_sample, folder)


def _forecast_of(forecast, source, input_length, config) -> tuple[Forecast, int]:
    """Return `forecast` as a function of frames and indices, and the length of its context."""
    length, is_keras = source.shape[0], isinstance(forecast, keras.Model)
    shape = getattr(forecast, "input_shape", None)
    if input_length is None and isinstance(forecast, VideoPredictor):
        input_length = forecast.config.input_length
    elif input_length is None and is_keras and isinstance(shape, tuple):
        input_length = shape[1]
    if not input_length or not 0 < input_length < length:
        raise MimError(
            f"Expected an input_length from 1 to {length - 1}, because sequences have {length} "
            f"frames, got {input_length}."
        )
    if isinstance(forecast, VideoPredictor):
        scale = forecast.config.scale
        if scale and source.scale and not scale.is_like(source.scale):
            logging.warning(
                "Expected frames on the scale of the weights, %s, got %s. Open them with "
                "open_source(data, model.config, split).",
                *(scale.words, source.scale.words),
            )
        size = min(config.batch_size, len(evaluated(source, config.max_test_sequences)))
        check_prediction(forecast.config, size, length)

        def predict_next(frames, _):
            return forecast.forecast(frames[:, :input_length], length - input_length, size)

        return predict_next, input_length

    def predict(frames, _):
        # A copy, because some functions write into their argument, and baselines see it, too.
        context, horizon = frames[:, :input_length].copy(), length - input_length
        found = forecast.predict_on_batch(context) if is_keras else forecast(context, horizon)
        found = np.ma.filled(found, np.nan) if np.ma.is_masked(found) else np.asarray(found)
        expected = (len(frames), horizon, *frames.shape[2:])
        if found.dtype.kind in "ui":
            raise MimError(f"Expected a forecast of floats, got {found.dtype}. Divide by 255.")
        if found.shape != expected:
            raise MimError(
                f"Expected a forecast {list(expected)}, [B, horizon, H, W, C], of a context "
                f"{list(context.shape)}, got {list(found.shape)}."
            )
        if (source.scale or UNIT).clipped and found.max() > _FAR_BEYOND_1:
            message = "Expected a forecast in [0, 1], got %g, which counts as 1. Check its unit."
            logging.log_first_n(logging.WARNING, message, 1, found.max())
        return found

    return predict, input_length


def scored(
    forecast: Forecast,
    source: SequenceSource,
    context: int,
    config: TrainingConfig,
    on_sample: Callable[..., None] | None = None,
    folder: str | Path | None = None,
) -> dict:
    """Score forecasts of `max_test_sequences`, or all, of `source`.

    The first `context` frames of a sequence are given, the others predicted. Arguments are as for
    `evaluate`. Without a context there are no baselines.

    Returns:
        What `write_scores` writes: the scores of all kinds that make sense for the source, their
        `intervals`, values `per_sequence` and `resamples`; the `groups` of sequences that are not
        independent, and how many `recordings` these are; `data` and `baselines` of
        `ReferenceScores`; `protocol` and `input_length`; and as `samples` the arrays of
        `load_samples` with the `error_map`.
    """

    def save(number, truth, forecast):
        if folder:
            place = Path(folder) / str(number)
            save_sample(place, truth, forecast, context, source.scale, source.south_first)

    limit, on_sample = config.max_test_sequences, on_sample or save
    scores, error_map = scores_for(source, config.protocol), ErrorMap(source.scale)
    reference = ReferenceScores(source, context, limit, config.protocol)
    indices = evaluated(source, limit)
    batch_size = min(config.batch_size, len(indices))
    with (
        errors_of(source) as watched,
        tqdm(total=len(indices), desc="evaluating", unit="seq", leave=False) as progress,
    ):
        for arrays in evaluation_dataset(watched, batch_size, limit):
            frames, truth = map(np.asarray, arrays)
            done = scores.sequences
            predicted = forecast(frames, indices[done : done + len(frames)])
            batch = scores.update(truth[:, context:], predicted)
            error_map.update(batch.truth, batch.prediction)
            reference.update(truth, batch)
            for i in range(min(len(frames), config.num_save_samples - done)):
                on_sample(done + i + 1, truth[i], batch.prediction[i])
            progress.update(len(frames))

    per_sequence = scores.per_sequence()
    samples = load_samples(per_sequence["mse"], source, indices, forecast, batch_size)
    recordings, groups = np.unique(source.groups(indices), return_inverse=True)
    resamples, result = scores.resampled(groups), scores.result()
    result = {
        **result,
        "recordings": len(recordings),
        "intervals": intervals(result["mean"], resamples, groups, per_sequence),
        **scores.details(),
        "protocol": config.protocol,
        "input_length": context,
        **reference.result(groups),
        "per_sequence": per_sequence,
        "groups": groups,
        "resamples": resamples,
        "samples": {**samples, "error_map": error_map.result(source.south_first)},
    }
    if folder:
        write_scores(folder, result, context)
        write_report_or_warn(folder)
    return result


def in_words(result: dict, name: str = "The model") -> str:
    """Return the scores, what their intervals rest on, and `verdict`, as text."""
    table = format_scores(result, result["input_length"])
    return f"{table}\n\n{basis(result)}\n{verdict(result, name=name)}"


def carrying_memory(model: VideoPredictor) -> Callable[[np.ndarray, int], np.ndarray]:
    """Return a forecast for `evaluate` as OpenSTL makes it: S of MIM-S is never set back.

    A batch starts with the S that the batch before left, which came from other sequences. The first
    batch starts with S = 0. The function takes the context `[B, T, H, W, C]` and the horizon.
    Raises `MimError` for a network without MIM-S.
    """
    inputs = model.step.inputs[1:]
    carried = [place for place, state in enumerate(inputs) if re.fullmatch(r"s\d+", state.name)]
    if not carried:
        raise MimError(
            f"--carry_stationary_memory is not supported for {model.config.model_name}, only "
            "for networks with MIM-S. Leave it out."
        )
    kept: dict[int, np.ndarray] = {}

    def forecast(context, horizon):
        channels = context.shape[-1]
        context = np.asarray(apart(context, model.config.step_channels))
        states = [np.zeros((len(context), *state.shape[1:]), np.float32) for state in inputs]
        for place, memory in kept.items():
            size = min(len(memory), len(context))
            states[place][:size] = memory[:size]
        frames: list[np.ndarray] = []
        for t in range(context.shape[1] + horizon - 1):
            frame = context[:, t] if t < context.shape[1] else frames[-1]
            frame, *states = map(np.asarray, model.step.predict_on_batch([frame, *states]))
            frames.append(frame)
        kept.update({place: states[place] for place in carried})
        return np.asarray(together(np.stack(frames[-horizon:], axis=1), channels))

    return forecast


def evaluate_weights(
    network: VideoPredictor,
    data: DataConfig,
    training: TrainingConfig,
    weights: str,
    split: str = "test",
    carry_memory: bool = False,
    match: bool = False,
) -> tuple[str, Path]:
    """Score a network with its `weights` on a split and write scores and pictures.

    With `carry_memory` it forecasts as `carrying_memory` does; with `match` its forecasts are
    followed by `match_probabilities`.

    Returns:
        The scores, what their intervals rest on, `verdict` and, if `data.test_sha256` is given,
        whether the sequences have it, as text; and the new folder `gen_frm_dir/test-...`.
    """
    skip_graph_rewriting()
    shape = frame_shape(data, split)
    if shape and not data.resize and network.takes_any_size:
        network = network.at_size(*shape[:2])
    model = network.config
    forecast = carrying_memory(network) if carry_memory else network
    if match:
        forecast = matching(forecast if carry_memory else network.forecast, model)
    source = open_source(data, model, split)
    asked = {"--carry_stationary_memory": carry_memory, "--probability_matching": match}
    changes = " ".join(name for name, is_set in asked.items() if is_set)
    folder = new_run_folder(training.gen_frm_dir, "test")
    record = {"pretrained_model": os.path.realpath(find_weights(weights)), **source.describe()}
    record |= {"split": split, "changes": changes}
    if seen := trained_on(weights, record):
        record["trained_on"] = seen
        logging.warning(
            "%s: these weights were trained on %d of the recordings that are scored, such as %s. "
            "The scores are too good.",
            *(weights, len(seen), seen[0]),
        )
    write_record(folder, model, data, training, {"test": record})
    context = model.input_length
    result = evaluate(forecast, source, training, input_length=context, folder=folder)
    parts = [in_words(result)]
    if data.test_sha256:
        parts.append(identity(result, source.size, data.test_sha256))
    return "\n\n".join(parts), folder


def trained_on(weights: str | Path, here: dict) -> list[str]:
    """Return the recordings of a described source that weights were trained on, as recorded.

    Only videos, folders of images and arrays are compared, unless each is divided along time.
    """
    run = Path(weights).parent
    if not os.path.isfile(weights) or not os.path.lexists(run / RECORD):
        return []
    record: dict = {}
    with contextlib.suppress(MimError):  # a corrupted record, which was answered before
        record = read_run_record(run)
    there, start = record.get("sources", {}).get("train", {}), record.get("folder") or ""
    if here["source"] != "recordings" or all("part_of_each_recording" in x for x in (here, there)):
        return []
    names = there.get("recordings")
    names = names if isinstance(names, list) else []
    learnt = {os.path.realpath(os.path.join(start, str(name))) for name in names}
    return [name for name in here["recordings"] if os.path.realpath(name) in learnt]


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


def analyze(model, data: DataConfig, split: str, sequences: int, batch_size: int, low, high):
    """Return `inside_statistics` of a network on so many sequences of a split."""
    source = open_source(data, model.config, split)
    batches = evaluated_batches(source, batch_size, sequences)
    shown = tqdm(batches, desc="analyzing", unit="batch", leave=False)
    seen = model.config.step_channels  # each of several channels apart counts as a sequence
    frames = (np.asarray(apart(filled(source.sequences(each)), seen)) for each in shown)
    return inside_statistics(model, frames, low, high)


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
