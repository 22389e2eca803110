"""Forecasts that need no training, and facts of test sequences that are computed once."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mim_tf.data.files.arrays import ArraySource
from mim_tf.data.source import SequenceSource
from mim_tf.evaluation import baselines
from mim_tf.evaluation.baselines import (
    ReferenceScores,
    context_mean,
    extrapolate_along_flow,
    persistence,
    unbeaten,
    verdict,
)
from mim_tf.evaluation.errors import PixelErrors
from mim_tf.evaluation.statistics import Scores
from mim_tf.values.scale import RAIN_SCALES, LinearScale


def test_persistence_and_the_mean_of_each_pixel():
    frames = np.random.default_rng(0).random((2, 3, 4, 5, 1), np.float32)
    forecast = persistence(frames, 4)
    np.testing.assert_array_equal(forecast, np.repeat(frames[:, 2:], 4, axis=1))
    expected = np.repeat(frames.mean(axis=1, keepdims=True), 4, axis=1)
    np.testing.assert_allclose(context_mean(frames, 4), expected, rtol=1e-6)


@pytest.mark.parametrize("clipped", [True, False])
def test_missing_values_of_a_context(clipped):
    nan, usual = np.nan, 0 if clipped else (4 * 290 + 300 + 310) / 6
    pixels = [[290, nan, 300], [nan, nan, 310], [nan, nan, nan], [290, 290, 290]]
    context = np.array(pixels, np.float32).T[None, :, :, None, None]
    expected = [[290, 290, 300], [310, 310, 310], [usual] * 3, [290, 290, 290]]
    found = baselines.completed(context, clipped)
    np.testing.assert_allclose(found[0, ..., 0, 0].T, expected, rtol=1e-6)
    nothing = np.full((1, 2, 3, 4, 1), nan, np.float32)
    np.testing.assert_array_equal(baselines.completed(nothing, clipped), 0)


MEAN, FLOW = "context_mean", "optical_flow"


@pytest.mark.parametrize(
    ("ours", "persistence", "other", "words"),
    [
        ([10], [80.25], {MEAN: [60]}, "beats persistence (80.25) and the mean"),
        ([70], [80], {MEAN: [60]}, "does NOT beat the mean of the context (60)"),
        ([10], [5], {FLOW: [10]}, "does NOT beat persistence (5) and extrapol"),
        ([None], [80], {}, "does NOT beat persistence (80): its MSE is undefined."),
        # The other scores in which the model wins and loses.
        ([10, 20, 0.5], [20, 10, 0.6], {FLOW: [30, 15, 0.4]}, "PSNR. It loses to persistence in"),
        ([10, 20], [20, 10], {FLOW: [30, 15]}, "It also wins in every other score."),
        (
            [25, 20, 0.3],
            [20, 10, 0.6],
            {FLOW: [30, 30, 0.4]},
            "(30) and to extrapolation along opt",
        ),
        # A tie, and what is nowhere defined, are neither.
        ([10, 20, None], [20, 20, 0.6], {FLOW: [30, 10, None]}, "its MSE is 10"),
    ],
)
def test_the_verdict_names_what_is_beaten_and_what_is_not(ours, persistence, other, words):
    model, *parts = (
        {"mean": dict(zip(["mse", "psnr", "CSI_30"], each, strict=False))}
        for each in (ours, persistence, *other.values())
    )
    names = ["persistence", *other]
    found = verdict({**model, "baselines": dict(zip(names, parts, strict=True))})
    assert words in found
    assert ("It " in found) == (len(ours) > 1 and ours[-1] is not None)


def moving_blob(velocity, frames):
    """`[1, frames, 64, 64, 1]`."""
    centres = np.array([24, 20]) + np.arange(frames)[:, None] * velocity
    distances = np.indices((64, 64))[:, None] - centres.T[..., None, None]
    return np.exp(np.square(distances).sum(axis=0) / -50)[None, ..., None].astype(np.float32)


def centre(frame):
    indices = np.indices(frame.shape)
    return (indices * frame).sum(axis=(1, 2)) / frame.sum()


@pytest.mark.parametrize(
    ("velocity", "size"), [((0, 0), 1), ((1, 2), 1), ((-0.5, 1.5), 1), ((1, 2), 1e-5)]
)
def test_a_moving_blob_moves_on(velocity, size):
    frames = moving_blob(np.array(velocity), 10)
    forecast = extrapolate_along_flow(frames[:, :4] * np.float32(size), 6) / np.float32(size)
    assert forecast.shape == (1, 6, 64, 64, 1)
    assert forecast.dtype == np.float32
    assert 0 <= forecast.min() <= forecast.max() <= 1
    for predicted, truth in zip(forecast[0, ..., 0], frames[0, 4:, ..., 0], strict=True):
        np.testing.assert_allclose(centre(predicted), centre(truth), atol=1)
    error = np.square(forecast - frames[:, 4:]).sum()
    # The right-hand side is what empty forecasts would cost.
    assert error < 0.02 * np.square(frames[:, 4:]).sum()


def test_empty_frames_and_single_ones_stay_as_they_are():
    empty = np.zeros((1, 3, 16, 16, 1), np.float32)
    np.testing.assert_array_equal(extrapolate_along_flow(empty, 2), empty[:, :2])
    single = moving_blob(np.array((1, 1)), 1)
    np.testing.assert_array_equal(extrapolate_along_flow(single, 2), persistence(single, 2))
    # The last shower has gone. What is left are missing values and the rounding of a scale.
    dry = np.full((1, 2, 64, 64, 1), 1.6e-17, np.float32)
    dry[:, :, :2] = 0
    dry[0, 0, 32, 32] = 0.06
    np.testing.assert_allclose(extrapolate_along_flow(dry, 2), persistence(dry, 2), atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 8), (8, 1), (2, 2)])
def test_frames_may_be_a_line(shape):
    frames = np.random.default_rng(0).random((2, 4, *shape, 1), np.float32)
    forecast = extrapolate_along_flow(frames, 3)
    assert np.isfinite(forecast).all()
    if min(shape) == 1:
        np.testing.assert_array_equal(forecast, persistence(frames, 3))


def test_a_source_may_be_a_dataclass():
    @dataclasses.dataclass  # which is not hashable
    class Mine(SequenceSource):
        frames: np.ndarray
        size, shape = 3, (4, 8, 8, 1)

        def sequences(self, indices):
            return self.frames[np.asarray(indices)]

    frames = np.zeros((3, 4, 8, 8, 1), np.float32)
    scores = ReferenceScores(Mine(frames), 2, 0, "per_pixel")
    scores.update(frames, Scores(PixelErrors()).update(frames[:, 2:], frames[:, 2:] + 1))
    assert scores.result()["baselines"]["persistence"]["mean"]["mse"] == 0


def test_a_set_is_recorded_with_its_fingerprint():
    def data(frames, *cuts, missing=False):
        truth = frames.copy()
        truth[0, 0] = np.nan if missing else truth[0, 0]
        scores = ReferenceScores(ArraySource(frames), 3, 0, "per_pixel")
        for part in np.split(truth, cuts):
            future = part[:, 3:]
            scores.update(part, Scores(PixelErrors()).update(future, np.zeros(future.shape)))
        return scores.result()["data"]

    frames = np.random.default_rng(0).random((5, 6, 8, 8, 1), np.float32)
    whole = data(frames)
    assert whole["source"] == "array"
    assert data(frames, 2) == whole
    for other in (data(frames[:4]), data(frames[::-1]), data(frames, missing=True)):
        assert other["sha256"] != whole["sha256"]


def test_s_prog_is_extrapolation_that_gets_smoother():
    pytest.importorskip("pysteps")
    pytest.importorskip("cv2")
    scale = RAIN_SCALES["dbz"]
    noise = gaussian_filter(np.random.default_rng(0).normal(size=(64, 64)), 2.5, mode="wrap")
    rain = 10 ** (2 * noise / noise.std() - 1)
    frames = np.stack([np.roll(rain, (2 * t, t), axis=(0, 1)) for t in range(10)])
    frames = scale.to_unit(frames)[None, ..., None]
    forecast = baselines.s_prog_on(scale)(frames[:, :4], 6)
    assert forecast.shape == (1, 6, 64, 64, 1)
    inside = np.s_[:, :, 16:-16, 12:-12]
    still = baselines.persistence(frames[:, :4], 6)
    errors = [np.square(each - frames[:, 4:])[inside].mean() for each in (forecast, still)]
    assert errors[0] < 0.5 * errors[1]
    roughness = np.abs(np.diff(forecast, axis=2))[inside[:2]].mean(axis=(0, 2, 3, 4))
    assert roughness[-1] < 0.9 * roughness[0]
    # Forecasts from files are in dBZ, whose lowest value means dry.
    values = LinearScale("dBZ", 0.0, 1.0, False, -32.0, 60.0)
    reflectivity = np.where(frames[:, :4] > 0, 5 + 60 * frames[:, :4], np.float32(-32))
    assert baselines.s_prog_on(values)(reflectivity, 2).min() == -32
    leaving = np.zeros((1, 4, 16, 16, 1), np.float32)  # pysteps raises an error
    leaving[0, np.arange(4), :, 3 + 4 * np.arange(4)] = 0.5
    assert np.isfinite(baselines.s_prog_on(scale)(leaving, 6)).all()
    dry = np.zeros((1, 4, 64, 64, 1), np.float32)
    assert not baselines.s_prog_on(scale)(dry, 3).any()


def test_an_undefined_baseline_is_not_ahead():
    means = {"persistence": 0.5, "context_mean": None}
    baselines = {name: {"mean": {"FAR_30": mean}} for name, mean in means.items()}
    assert unbeaten({"mean": {"FAR_30": 0.2}, "baselines": baselines}, "FAR_30") == {}
