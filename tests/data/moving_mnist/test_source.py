import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mim_tf.data.sets.moving_mnist.digits import load_digits
from mim_tf.data.sets.moving_mnist.source import (
    SUBPIXEL_BITS,
    ColorMovingMNIST,
    MovingMNIST,
    whole_pixels,
)
from mim_tf.errors import MimError

# One bright pixel in each corner: the position of every digit can be read from its frames.
CORNERS = np.zeros((1, 28, 28), np.uint8)
CORNERS[0, [0, 0, -1, -1], [0, -1, 0, -1]] = 255
WHITE = np.full((1, 28, 28), 255, np.uint8)
PIXEL = 1 << SUBPIXEL_BITS
BOTH = pytest.mark.parametrize("generator", [MovingMNIST, ColorMovingMNIST])


def some_digits(n=5):
    return np.random.default_rng(0).integers(0, 256, (n, 28, 28), dtype=np.uint8)


@pytest.mark.parametrize(
    ("generator", "digest"),
    [
        (MovingMNIST, "5b58acf254695c76d1f42b7621612f7bc3bc6674b471108c0e75dd3708b920f4"),
        (ColorMovingMNIST, "185b0572f7e0b2d7d5773fa1aae06d1dd5ed2b0eec54216f882aa2b5688a5859"),
    ],
)
def test_sequences_are_bytewise_the_same_everywhere(generator, digest):
    """A change of these numbers is a change of every generated data set."""
    source = generator(load_digits("bundled").train, 1000, seed=(3, 1))
    got = source.sequences([0, 1, 2, 500, 999])
    assert got.dtype == np.float32
    assert got.shape == (5, *source.shape) == (5, 20, 64, 64, generator.channels)
    content = got.astype("<f4")
    if generator is MovingMNIST:
        content = np.rint(got * 255).astype(np.uint8)
        np.testing.assert_array_equal(content.astype(np.float32) / np.float32(255), got)
    assert hashlib.sha256(content.tobytes()).hexdigest() == digest


@BOTH
def test_a_sequence_depends_on_seed_and_index_only(generator):
    indices = [7, 3, 10**12, 3]
    batch = generator(some_digits(), None).sequences(indices)
    source = generator(some_digits(), 10**12 + 1)
    for sequence, index in zip(batch, indices, strict=True):
        np.testing.assert_array_equal(sequence, source.sequences(np.array([index]))[0])
    assert source.sequences([]).shape == (0, *source.shape)
    seeds = [0, 1, (0, 1), (1, 0), (0, 0), -1]
    each = [generator(some_digits(), 9, seed=seed).sequences([0, 1]) for seed in seeds]
    assert len({sequence.tobytes() for sequences in each for sequence in sequences}) == 12


@pytest.mark.parametrize(("height", "width"), [(40, 64), (28, 28), (28, 40)])
def test_digits_stay_inside_and_reach_all_walls(height, width):
    source = MovingMNIST(CORNERS, 200, num_digits=1, height=height, width=width)
    lit = source.sequences(range(200))[..., 0] == 1
    assert (lit.sum(axis=(2, 3)) == 4).all()
    for axis, side in ((3, height), (2, width)):
        first = lit.any(axis=axis).argmax(axis=2)
        assert (first.min(), first.max()) == (0, side - 28)


@settings(max_examples=200, deadline=None)
@given(start=st.integers(0, 9 * PIXEL), velocity=st.integers(-5 * PIXEL, 5 * PIXEL))
def test_bounce_is_elastic(start, velocity):
    got = whole_pixels(np.array([start]), np.array([velocity]), 30, 9)[0]
    position, expected = start, []
    for _ in range(30):
        expected.append((position + PIXEL // 2) // PIXEL)
        position += velocity
        if position < 0:
            position, velocity = -position, -velocity
        elif position > 9 * PIXEL:
            position, velocity = 18 * PIXEL - position, -velocity
    assert got.tolist() == expected


@pytest.mark.parametrize("num_digits", [1, 3])
def test_number_of_digits(num_digits):
    source = MovingMNIST(WHITE, 20, 2, num_digits=num_digits, height=200, width=200)
    lit = source.sequences(range(20)).sum(axis=(2, 3, 4))
    assert lit.max() == num_digits * 28 * 28


@BOTH
@pytest.mark.parametrize("size", [{"height": 27}, {"width": 16}])
def test_frames_smaller_than_a_digit_are_refused(generator, size):
    with pytest.raises(MimError, match="--img_width"):
        generator(some_digits(), 10, **size)


@BOTH
@pytest.mark.parametrize("index", [-1, 10])
def test_there_are_no_sequences_beyond_size(generator, index):
    with pytest.raises(IndexError):
        generator(some_digits(), 10).sequences([index])


def test_description_is_json_types():
    description = MovingMNIST(some_digits(), 10, seed=(np.int64(4), 1)).describe()
    assert json.loads(json.dumps(description)) == description
    color = ColorMovingMNIST(some_digits(), 10, seed=(4, 1)).describe()
    source = "generated colour-changing Moving MNIST"
    assert color == description | {"source": source, "shape": [20, 64, 64, 3]}
    other = MovingMNIST(some_digits(6), None).describe()["digits_sha256"]
    assert len(other) == 64
    assert other != description["digits_sha256"]


@pytest.mark.parametrize(
    "arguments",
    [{}, {"num_digits": 3, "seed": (4, 2)}, {"height": 40, "width": 70, "total_length": 7}],
)
def test_motion_is_that_of_moving_mnist(arguments):
    digits = load_digits("bundled").test
    color = ColorMovingMNIST(digits, 9, **arguments).sequences(range(9))
    grey = MovingMNIST(digits, 9, **arguments).sequences(range(9))
    np.testing.assert_array_equal(color > 0, np.repeat(grey > 0, 3, axis=-1))


def test_pixel_is_level_times_color():
    digits = some_digits()
    digits[:, 14, 14] = 255
    got = ColorMovingMNIST(digits, 5, num_digits=1).sequences(range(5))
    grey = MovingMNIST(digits, 5, num_digits=1).sequences(range(5))
    # The brightest pixel has the colour itself.
    color = got.max(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(got, grey * color, rtol=1e-6)


@pytest.mark.parametrize("total_length", [1, 2, 3, 20, 31])
def test_colors_change_evenly_from_first_to_last_frame(total_length):
    # A white digit fills the frame.
    source = ColorMovingMNIST(WHITE, None, total_length, 28, 28, num_digits=1)
    frames = source.sequences(range(20))
    assert (frames == frames[:, :, :1, :1]).all()
    got = frames[:, :, 0, 0]
    assert got.min() >= np.float32(0.29)
    assert got.max() <= np.float32(0.70)
    if total_length > 1:
        expected = np.linspace(got[:, 0], got[:, -1], total_length, axis=1)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-7)
        change = np.abs(got[:, -1] - got[:, 0])
        assert 0.0949 < change.min() <= change.max() < 0.3421
