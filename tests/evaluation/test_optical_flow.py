"""Extrapolation of things whose motion is known."""

import numpy as np
import pytest

from mim_tf.evaluation.baselines import extrapolate_along_flow, persistence


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


def test_every_channel_moves_with_the_mean_of_all():
    frames = moving_blob(np.array((0, 2)), 6)
    frames = np.concatenate([frames, 0.5 * frames], axis=-1)
    forecast = extrapolate_along_flow(frames[:, :3], 3)
    np.testing.assert_allclose(forecast[..., 1], 0.5 * forecast[..., 0], atol=1e-6)


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
