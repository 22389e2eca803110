"""Forecasts that need no training: what a network has to beat."""

import contextlib
import hashlib
import importlib.util
import io
import itertools
from collections.abc import Callable

import numpy as np
from absl import logging
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude, map_coordinates
from skimage.registration import optical_flow_ilk

from mim_tf.data.source import SequenceSource
from mim_tf.evaluation.errors import direction, is_better, listed_titles, score_title
from mim_tf.evaluation.events import are_comparable
from mim_tf.evaluation.protocols import scores_for
from mim_tf.evaluation.statistics import Batch
from mim_tf.values.scale import LinearScale
from mim_tf.values.text import listed, number

Baseline = Callable[[np.ndarray, int], np.ndarray]

TITLES = {
    "persistence": "persistence",
    "context_mean": "the mean of the context",
    "optical_flow": "extrapolation along optical flow",
    "s_prog": "S-PROG of pysteps",
}


def persistence(context: np.ndarray, horizon: int) -> np.ndarray:
    """Repeat the last frame of the context `[B, T, H, W, C]`: `[B, horizon, H, W, C]`."""
    return np.repeat(context[:, -1:], horizon, axis=1)


def context_mean(context: np.ndarray, horizon: int) -> np.ndarray:
    """Repeat the mean of the context `[B, T, H, W, C]` at each pixel: `[B, horizon, H, W, C]`."""
    return np.repeat(context.mean(axis=1, keepdims=True), horizon, axis=1)


def completed(context: np.ndarray, clipped: bool) -> np.ndarray:
    """Return a context `[B, T, H, W, C]`, NaN where missing, as baselines take it.

    A missing value becomes the last known value of its pixel, or else the next. Where a pixel is
    never known, it becomes 0, or on a scale that is not `clipped`, which may not have 0, the mean
    of the known values of the sequence.
    """
    missing = np.isnan(context)
    if not missing.any():
        return context
    usual = np.where(missing, 0, context).sum(axis=(1, 2, 3), keepdims=True, dtype=np.float64)
    usual *= not clipped
    usual /= np.maximum((~missing).sum(axis=(1, 2, 3), keepdims=True), 1)
    frames = np.moveaxis(context.copy(), 1, 0)
    for order in (frames, frames[::-1]):
        for before, frame in itertools.pairwise(order):
            np.copyto(frame, before, where=np.isnan(frame))
    found = np.moveaxis(frames, 0, 1)
    return np.where(np.isnan(found), usual.astype(np.float32), found)


def baselines_for(source: SequenceSource) -> dict[str, Baseline]:
    """Return the baselines by name.

    Optical flow is for fields, which have physical values; S-PROG for rain and reflectivity, where
    pysteps and OpenCV are installed.
    """
    baselines: dict[str, Baseline] = {"persistence": persistence, "context_mean": context_mean}
    if source.scale:
        baselines["optical_flow"] = extrapolate_along_flow
        is_radar = source.scale.transform or source.scale.is_reflectivity
        is_radar = is_radar and source.shape[-1] == 1
        if is_radar and all(map(importlib.util.find_spec, ("pysteps", "cv2"))):
            baselines["s_prog"] = s_prog_on(source.scale)
    return baselines


def unbeaten(result: dict, score: str) -> dict[str, float | None]:
    """Return the means of the baselines, by name, that the model's mean is not better than.

    A baseline whose mean alone is undefined is left out.
    """
    means = {name: part["mean"][score] for name, part in result.get("baselines", {}).items()}
    ours = result["mean"][score]
    return {
        name: mean
        for name, mean in means.items()
        if (mean is not None or ours is None) and not is_better(score, ours, mean)
    }


def won_and_lost(result: dict) -> tuple[list[str], dict[str, list[str]]]:
    """Return the scores in which the model is better than every baseline, and those it loses.

    The lost scores are by name of the baseline that is the best in them. A score that is not
    defined for the model or for all baselines, or at other lead times, is neither won nor lost; so
    is a tie.
    """
    won: list[str] = []
    lost: dict[str, list[str]] = {}
    baselines = result.get("baselines", {})
    for score in filter(direction, result["mean"]):
        if not are_comparable(result.get("protocol", ""), score, [result, *baselines.values()]):
            continue
        means = {name: part["mean"][score] for name, part in baselines.items()}
        known = {name: mean for name, mean in means.items() if mean is not None}
        best = max(known, key=lambda name: direction(score) * known[name], default="")
        if best and is_better(score, result["mean"][score], known[best]):
            won.append(score)
        if best and is_better(score, known[best], result["mean"][score]):
            lost.setdefault(best, []).append(score)
    return won, lost


def verdict(result: dict, score: str = "mse", name: str = "The model") -> str:
    """Return whether the model beats every baseline in a score, and which others it wins or loses.

    All of this is said of means.
    """
    ours, left = number(result["mean"][score], "undefined"), unbeaten(result, score)
    title = score_title(score)
    if not result.get("baselines"):
        return f"The {title} of {name} is {ours}. Without a context there are no baselines."
    parts = [
        f"{TITLES.get(each, each)} ({number(part['mean'][score], 'undefined')})"
        for each, part in result["baselines"].items()
        if each in left or not left
    ]
    does = "does NOT beat" if left else "beats"
    sentences = [f"{name} {does} {listed(parts, 'and')}: its {title} is {ours}."]
    won, lost = won_and_lost(result)
    words = [
        f"to {TITLES.get(key, key)} in {listed_titles(others)}"
        for key, names in lost.items()
        if (others := [each for each in names if each != score])
    ]
    if wins := [each for each in won if each != score]:
        others = [each for each in filter(direction, result["mean"]) if each != score]
        where = "every other score" if wins == others else listed_titles(wins)
        sentences.append(f"It {'' if left else 'also '}wins in {where}.")
    if words:
        sentences.append(f"It loses {listed(words, 'and')}.")
    return " ".join(sentences)


# Extrapolation of the last frame along optical flow: the baseline of radar nowcasting.

SMOOTHING = 1 / 16
"""Standard deviation of the flow's smoothing, as a share of the frame's larger side."""


def extrapolate_along_flow(context: np.ndarray, horizon: int) -> np.ndarray:
    """Move the last frame on with the motion between the last two, backwards along its path.

    The motion is dense Lucas-Kanade flow (scikit-image), smoothed and carried on to where the
    frame is flat. It stays as it is while the frame is moved: semi-Lagrangian extrapolation, as in
    pysteps (Germann and Zawadzki, 2002). What comes in from outside is the value at the border.
    With one frame of context, or frames of one row or column, there is no motion.
    """
    forecast = np.empty((len(context), horizon, *context.shape[2:]), np.float32)
    for sequence, predicted in zip(context, forecast, strict=True):
        if len(sequence) > 1 and min(sequence.shape[1:3]) > 1:
            _extrapolate(sequence[-1], _smooth_flow(*sequence[-2:].mean(axis=-1)), predicted)
        else:
            predicted[:] = sequence[-1]
    return forecast


def _smooth_flow(previous, last):
    """Return the displacement (rows, columns) `[2, H, W]` from a value of `last` to its origin."""
    # scikit-image finds no motion in small values, such as rain in kg m-2 s-1.
    if 0 < (size := np.ptp((previous, last))) < 0.1:
        previous, last = previous / size, last / size
    # In float32 the motion diverges where all rain has gone but for rounding.
    radius = max(2, min(7, min(last.shape) // 4))
    flow = np.stack(optical_flow_ilk(last, previous, radius=radius, dtype=np.float64))
    # Flow is known where there is structure. Elsewhere its surroundings count.
    weight = gaussian_gradient_magnitude(last.astype(np.float64), 1) ** 2
    sigma = SMOOTHING * max(last.shape)
    total, small = weight.mean(), 1e-6 * weight.mean()
    if not total:
        return np.zeros_like(flow)
    far = (flow * weight).mean(axis=(1, 2), keepdims=True) / total
    blurred = np.stack([gaussian_filter(part * weight, sigma) for part in flow])
    return (blurred + small * far) / (gaussian_filter(weight, sigma) + small)


def _extrapolate(last, flow, predicted):
    grid = np.indices(last.shape[:2], dtype=np.float64)
    displacement = np.zeros_like(grid)
    for frame in predicted:
        # The motion in the middle of the step, found from the motion at its start.
        step = _sampled(flow, grid + displacement)
        displacement += _sampled(flow, grid + displacement + step / 2)
        frame[:] = np.moveaxis(_sampled(np.moveaxis(last, -1, 0), grid + displacement), 0, -1)


def _sampled(fields, positions):
    return np.stack([map_coordinates(f, positions, order=1, mode="nearest") for f in fields])


def s_prog_on(scale: LinearScale) -> Baseline:
    """Return S-PROG on frames of one channel: extrapolation that loses small scales with time.

    Computed by pysteps with its Lucas-Kanade motion (Seed, 2003; Pulkkinen et al., 2019), from the
    last three frames. The last frame is repeated without rain, after fewer frames, and where
    pysteps fails, as it does if all rain leaves a small frame.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # it prints where its configuration is
        from pysteps import motion, nowcasts

    follow, advance = motion.get_method("LK"), nowcasts.get_method("sprog")
    # In decibels of mm/h, as in pysteps, or dBZ; drier pixels have one value below.
    driest, is_rate = (-10.0, True) if scale.transform else (5.0, False)
    dry = np.min(scale.low if scale.black is None else scale.black)

    def s_prog(context, horizon):
        forecast = persistence(context, horizon)
        for sequence, predicted in zip(context[:, -3:, ..., 0], forecast, strict=True):
            values = scale.to_physical(sequence).astype(np.float64)
            decibels = 10 * np.log10(np.maximum(values, 1e-9)) if is_rate else values
            if len(sequence) < 3 or not (decibels[-1] > driest).any():
                continue
            decibels = np.where(decibels > driest, decibels, driest - 5)
            settings = {"precip_thr": driest, "n_cascade_levels": 6}
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    found = advance(decibels, follow(decibels), horizon, **settings)
            except Exception as error:  # of many kinds, such as IndexError without enough rain
                text = "pysteps failed (%s): instead of S-PROG, the last frame is repeated."
                logging.log_first_n(logging.WARNING, text, 1, error)
                continue
            # Missing is what comes in from outside.
            is_wet = np.nan_to_num(found, nan=driest) > driest
            rain = 10 ** (np.where(is_wet, found, 0) / 10) if is_rate else found
            predicted[..., 0] = scale.to_unit(np.where(is_wet, rain, dry))
        return forecast

    return s_prog


class ReferenceScores:
    """The SHA-256 of sequences and the baselines' scores on them, computed once a source.

    `limit` is the number of sequences, as for `evaluated`. Without a context there are no
    baselines.
    """

    def __init__(self, source: SequenceSource, input_length: int, limit: int, protocol: str):
        self._source, self._context = source, input_length
        self._clipped = source.scale is None or source.scale.clipped
        # Kept with the source, because evaluations during training are all on the same sequences.
        known = vars(source).setdefault("_reference_scores", {})
        settings = source.thresholds, id(source.climatology)
        self._result: dict = known.setdefault((input_length, limit, protocol, *settings), {})
        self._baselines = {
            name: (baseline, scores_for(source, protocol))
            for name, baseline in baselines_for(source).items()
            if input_length and not self._result
        }
        self._hash = hashlib.sha256(str(source.shape).encode())

    def update(self, truth: np.ndarray, batch: Batch) -> None:
        """Add a batch of sequences `[B, T, H, W, C]`, NaN where missing.

        `batch` has the same truth after the context, with the model's prediction.
        """
        if not self._result:
            self._hash.update(np.ascontiguousarray(truth, "<f4").data)
        context = completed(truth[:, : self._context], self._clipped)
        for baseline, scores in self._baselines.values():
            forecast = baseline(context, batch.truth.shape[1])
            scores.add(batch.with_prediction(forecast))

    def result(self, groups: np.ndarray | None = None) -> dict:
        """Return `data`, the source's description with `sha256`, and the scores of `baselines`.

        Intervals resample `groups` as `Scores.resampled` does.
        """
        if not self._result:
            baselines = {}
            for name, (_, scores) in self._baselines.items():
                baselines[name] = scores.result() | {"intervals": scores.intervals(groups)}
                del baselines[name]["sequences"]
            data = {"sha256": self._hash.hexdigest(), **self._source.describe()}
            self._result.update(data=data, baselines=baselines)
        return self._result
