"""Forecasts that need no training, and facts of test sequences that are computed once."""

import numpy as np
import pytest

from mim_tf.data.files.arrays import ArraySource
from mim_tf.evaluation import baselines
from mim_tf.evaluation.baselines import (
    ReferenceScores,
    baselines_for,
    context_mean,
    extrapolate_along_flow,
    persistence,
    verdict,
)
from mim_tf.evaluation.errors import PixelErrors
from mim_tf.evaluation.protocols import scores_for
from mim_tf.evaluation.statistics import Scores
from mim_tf.values.scale import LinearScale


def context():
    return np.random.default_rng(0).random((2, 3, 4, 5, 1), np.float32)


def test_persistence_copies_the_last_frame():
    forecast = persistence(context(), 4)
    assert forecast.shape == (2, 4, 4, 5, 1)
    for frame in range(4):
        np.testing.assert_array_equal(forecast[:, frame], context()[:, 2])


def test_context_mean_is_that_of_each_pixel():
    forecast = context_mean(context(), 4)
    expected = context()[1, :, 2, 3, 0].mean()
    assert forecast[1, :, 2, 3, 0] == pytest.approx([expected] * 4)


def test_fields_are_extrapolated_as_well():
    source = ArraySource(np.zeros((1, 4, 8, 8, 1), np.uint8))
    assert list(baselines_for(source)) == ["persistence", "context_mean"]
    source.scale = LinearScale("dBZ", 0, 70)
    assert list(baselines_for(source)) == ["persistence", "context_mean", "optical_flow"]


def result(model, **baselines):
    parts = {name: {"mean": {"mse": mse, "psnr": -mse}} for name, mse in baselines.items()}
    return {"mean": {"mse": model, "psnr": model and -model}, "baselines": parts}


def test_the_verdict_names_what_is_beaten_and_what_is_not():
    assert verdict(result(10, persistence=80.25, context_mean=60)) == (
        "The model beats persistence (80.25) and the mean of the context (60): its MSE is 10."
    )
    assert verdict(result(70, persistence=80, context_mean=60)) == (
        "The model does NOT beat the mean of the context (60): its MSE is 70."
    )
    assert "NOT beat persistence (5), the mean of the context (6) and extrapolation" in verdict(
        result(10, persistence=5, context_mean=6, optical_flow=10)
    )
    assert verdict(result(10, persistence=80), "psnr").startswith("The model beats persistence")


def test_an_undefined_score_beats_nothing():
    assert verdict(result(None, persistence=80)) == (
        "The model does NOT beat persistence (80): its MSE is undefined."
    )


# Extrapolation of things whose motion is known.


def blob(row, column, size=64, width=5):
    rows, columns = np.indices((size, size))
    return np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * width**2))


def moving_blob(velocity, frames, start=(24, 20)):
    """`[1, frames, 64, 64, 1]`."""
    positions = np.array(start) + np.arange(frames)[:, None] * velocity
    return np.stack([blob(*position) for position in positions])[None, ..., None].astype(np.float32)


def centre(frame):
    indices = np.indices(frame.shape)
    return (indices * frame).sum(axis=(1, 2)) / frame.sum()


@pytest.mark.parametrize("velocity", [(0, 0), (1, 2), (-0.5, 1.5), (2.5, 0), (0, -1)])
def test_a_moving_blob_moves_on(velocity):
    frames = moving_blob(np.array(velocity), 10)
    forecast = extrapolate_along_flow(frames[:, :4], 6)
    assert forecast.shape == (1, 6, 64, 64, 1)
    assert forecast.dtype == np.float32
    for predicted, truth in zip(forecast[0, ..., 0], frames[0, 4:, ..., 0], strict=True):
        np.testing.assert_allclose(centre(predicted), centre(truth), atol=1)
    error = np.square(forecast - frames[:, 4:]).sum()
    # The right-hand side is what empty forecasts would cost.
    assert error < 0.02 * np.square(frames[:, 4:]).sum()


def test_it_beats_persistence_where_things_move():
    frames = moving_blob(np.array((1, 2)), 10)
    errors = [
        np.square(predict(frames[:, :4], 6) - frames[:, 4:]).sum()
        for predict in (extrapolate_along_flow, persistence)
    ]
    assert errors[0] < 0.05 * errors[1]


def test_no_value_appears_that_was_not_there():
    generator = np.random.default_rng(0)
    forecast = extrapolate_along_flow(generator.random((2, 3, 20, 24, 1), np.float32), 4)
    assert forecast.min() >= 0
    assert forecast.max() <= 1


def test_empty_frames_and_single_ones_stay_as_they_are():
    empty = np.zeros((1, 3, 16, 16, 1), np.float32)
    np.testing.assert_array_equal(extrapolate_along_flow(empty, 2), empty[:, :2])
    single = moving_blob(np.array((1, 1)), 1)
    np.testing.assert_array_equal(extrapolate_along_flow(single, 2), persistence(single, 2))


@pytest.mark.parametrize("shape", [(1, 8), (8, 1), (2, 2)])
def test_frames_may_be_a_line(shape):
    frames = np.random.default_rng(0).random((2, 4, *shape, 1), np.float32)
    forecast = extrapolate_along_flow(frames, 3)
    assert np.isfinite(forecast).all()
    if min(shape) == 1:
        np.testing.assert_array_equal(forecast, persistence(frames, 3))


# Facts that do not depend on a model.


@pytest.fixture
def frames():
    return np.random.default_rng(0).random((5, 6, 8, 8, 1), np.float32)


def test_what_does_not_depend_on_the_model_is_computed_once(frames, monkeypatch):
    calls = []

    def zeros(context, horizon):
        calls.append(len(context))
        return np.zeros((len(context), horizon, *context.shape[2:]), np.float32)

    monkeypatch.setattr(baselines, "baselines_for", lambda source: {"zeros": zeros})

    def scored(source, limit=0, protocol="mim2019"):
        batch = scores_for(source, protocol).update(frames[:, 3:], frames[:, 3:])
        scores = ReferenceScores(source, 3, limit, protocol)
        scores.update(frames, frames, batch)
        return scores.result()

    source = ArraySource(frames)
    assert scored(source) == scored(source)
    assert calls == [5]
    for other in ({"limit": 4}, {"protocol": "openstl"}):
        scored(source, **other)
    scored(ArraySource(frames))
    assert calls == [5] * 4


def test_a_set_is_recorded_with_its_fingerprint(frames):
    def data(frames, *cuts, missing=False):
        truth = frames.copy()
        truth[0, 0] = np.nan if missing else truth[0, 0]
        scores = ReferenceScores(ArraySource(frames), 3, 0, "per_pixel")
        for part in zip(np.split(frames, cuts), np.split(truth, cuts), strict=True):
            future = part[1][:, 3:]
            scores.update(*part, Scores(PixelErrors()).update(future, np.zeros(future.shape)))
        return scores.result()["data"]

    whole = data(frames)
    assert whole["source"] == "array"
    assert data(frames, 2) == whole
    for other in (data(frames[:4]), data(frames[::-1]), data(frames, missing=True)):
        assert other["sha256"] != whole["sha256"]
