"""Motion inside the network: against SciPy, and on fields whose motion is known."""

from itertools import pairwise

import numpy as np
import pytest
from keras import ops
from scipy.ndimage import gaussian_filter, map_coordinates

from mim_tf.layers import MovedOn, ScaleMixture
from mim_tf.layers.motion import SCALES, TRAIL, motion, moved

SIZE = 40, 48


def as_array(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def drifting(frames, down, right, seed=0):
    """Smooth noise on a torus that moves by (down, right) pixels a frame: `[T, H, W]`."""
    noise = np.random.default_rng(seed).normal(size=SIZE)
    field = gaussian_filter(noise, 3, mode="wrap")
    field = (field - field.min()) / np.ptp(field)
    rows, columns = np.indices(SIZE, dtype=float)
    places = [(rows - t * down, columns - t * right) for t in range(frames)]
    moving = [map_coordinates(field, place, order=3, mode="grid-wrap") for place in places]
    return np.stack(moving).astype(np.float32)


def test_moved_is_bilinear_and_stays_within_the_border():
    random = np.random.default_rng(1)
    fields = random.random((2, *SIZE, 3)).astype(np.float32)
    displacement = random.uniform(-9, 9, (2, *SIZE, 2)).astype(np.float32)
    got = as_array(moved(ops.convert_to_tensor(fields), ops.convert_to_tensor(displacement)))
    for n, c in np.ndindex(2, 3):
        places = np.indices(SIZE) + np.moveaxis(displacement[n], -1, 0)
        expected = map_coordinates(fields[n, ..., c], places, order=1, mode="nearest")
        np.testing.assert_allclose(got[n, ..., c], expected, atol=1e-4)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1.5, -2), (-3, 2.5)])
def test_motion_of_a_drifting_field(down, right):
    frames = np.moveaxis(drifting(4, down, right), 0, -1)[None]
    found = as_array(motion(ops.convert_to_tensor(frames), ops.ones((1, 1, 1, 3))))
    inside = found[0, 8:-8, 8:-8]
    np.testing.assert_allclose(inside.mean((0, 1)), [-down, -right], atol=0.15)
    assert np.abs(inside - [-down, -right]).max() < 0.6


def test_nothing_is_known_of_the_motion_of_one_frame():
    frames = np.moveaxis(drifting(4, 2, 2), 0, -1)[None]
    assert not as_array(motion(ops.convert_to_tensor(frames), ops.zeros((1, 1, 1, 3)))).any()


def run(frames, horizon):
    """Apply the layer to frames `[T, H, W]`, then to its forecasts; return these, flow, trail."""
    layer = MovedOn()
    shapes = layer.state_shapes(*SIZE, 1).values()
    states = [np.zeros((1, *shape), np.float32) for shape in shapes]
    last, made = np.zeros((1, *SIZE, 1), np.float32), []
    for t in range(len(frames) + horizon - 1):
        frame = frames[t][None, ..., None] if t < len(frames) else last
        trail, states = layer([ops.convert_to_tensor(frame), ops.convert_to_tensor(last)], states)
        last = as_array(trail)[..., :1]
        made.append(last[0])
    return np.stack(made[-horizon:]), as_array(states[2])[0], as_array(trail)[0]


def test_motion_stays_while_the_layer_sees_its_own_forecasts():
    frames = drifting(5, 2, -1)
    forecast, flow, _ = run(frames, 3)
    _, before, _ = run(frames, 1)
    np.testing.assert_array_equal(flow, before)
    for frame, following in pairwise([frames[-1][..., None], *forecast]):
        places = np.indices(SIZE) + np.moveaxis(flow, -1, 0)
        expected = map_coordinates(frame[..., 0], places, order=1, mode="nearest")
        np.testing.assert_allclose(following[..., 0], expected, atol=1e-4)


def test_a_measured_frame_changes_the_motion():
    one, other = drifting(4, 2, -1), drifting(4, -1, 2)
    _, flow, _ = run(np.concatenate([one, other]), 2)
    _, expected, _ = run(other, 2)
    np.testing.assert_allclose(flow, expected, atol=1e-4)


def test_the_forecast_follows_a_drifting_field():
    frames = drifting(8, 1.5, -2)
    forecast, *_ = run(frames[:4], 4)
    inside = np.s_[:, 10:-10, 10:-10]
    error = np.abs(forecast[..., 0] - frames[4:])[inside].mean()
    still = np.abs(frames[3] - frames[4:])[inside].mean()
    assert error < 0.1 * still


def test_a_sequence_of_one_frame_is_repeated():
    frames = drifting(1, 2, 2)
    forecast, *_ = run(frames, 3)
    np.testing.assert_array_equal(forecast[..., 0], np.repeat(frames, 3, 0))


def test_the_last_three_frames_are_moved_to_the_same_time():
    *_, trail = run(drifting(4, 1.5, -2), 1)
    difference = trail - drifting(5, 1.5, -2)[-1][..., None]
    assert trail.shape[-1] == TRAIL
    assert np.abs(difference)[10:-10, 10:-10].mean((0, 1)).max() < 0.02


def test_a_mixture_is_of_blurs_within_the_border():
    random = np.random.default_rng(3)
    trail = random.random((2, 20, 28, TRAIL)).astype(np.float32)
    shares = random.normal(size=ScaleMixture.N_WEIGHTS)
    weights = np.broadcast_to(shares, (2, 3, 4, len(shares))).astype(np.float32)
    got = as_array(ScaleMixture(8)(ops.convert_to_tensor(trail), ops.convert_to_tensor(weights)))

    def blurred(frame, sigma):  # a mean of what lies within the border
        options = {"mode": "constant", "radius": round(2.5 * sigma)}
        inside = gaussian_filter(np.ones_like(frame), sigma, **options)
        return gaussian_filter(frame, sigma, **options) / inside

    for n, frames in enumerate(np.moveaxis(trail, -1, 1)):
        bases = [*frames, *(blurred(frame, sigma) for sigma in SCALES for frame in frames)]
        newest, *others = bases
        expected = newest + sum(w * (each - newest) for w, each in zip(shares, others, strict=True))
        np.testing.assert_allclose(got[n, ..., 0], expected, atol=1e-4)
