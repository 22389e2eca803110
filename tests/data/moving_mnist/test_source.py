import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mim_tf.data.sets.moving_mnist.digits import load_digits
from mim_tf.data.sets.moving_mnist.source import SUBPIXEL_BITS, MovingMNIST, whole_pixels
from mim_tf.errors import MimError

# One bright pixel in each corner: the position of every digit can be read from its frames.
CORNERS = np.zeros((1, 28, 28), np.uint8)
CORNERS[0, [0, 0, -1, -1], [0, -1, 0, -1]] = 255

PIXEL = 1 << SUBPIXEL_BITS


def some_digits(n=5):
    return np.random.default_rng(0).integers(0, 256, (n, 28, 28), dtype=np.uint8)


def positions(source, indices):
    """(row, column) `[B, T, 2]` of the only digit of each sequence."""
    lit = source.sequences(indices)[..., 0] == 1
    assert (lit.sum(axis=(2, 3)) == 4).all()
    return np.stack([lit.any(axis=3).argmax(axis=2), lit.any(axis=2).argmax(axis=2)], axis=-1)


@pytest.fixture(scope="module")
def paths():
    """Positions within 0..150, `[600, 8, 2]`."""
    source = MovingMNIST(CORNERS, None, height=178, width=178, num_digits=1, total_length=8)
    return np.concatenate([positions(source, range(n, n + 50)) for n in range(0, 600, 50)])


@pytest.fixture(scope="module")
def free_paths(paths):
    """Those that meet no wall: never nearer to one than a frame's way."""
    return paths[((paths > 5) & (paths < 145)).all(axis=(1, 2))]


def test_sequences_are_bytewise_the_same_everywhere():
    """A change of this number is a change of every generated data set."""
    source = MovingMNIST(load_digits("bundled").train, 1000, seed=(3, 1))
    got = source.sequences([0, 1, 2, 500, 999])
    assert got.dtype == np.float32
    assert got.shape == (5, 20, 64, 64, 1)
    levels = np.rint(got * 255).astype(np.uint8)
    np.testing.assert_array_equal(levels.astype(np.float32) / np.float32(255), got)
    assert hashlib.sha256(levels.tobytes()).hexdigest() == (
        "5b58acf254695c76d1f42b7621612f7bc3bc6674b471108c0e75dd3708b920f4"
    )


def test_a_sequence_does_not_depend_on_its_batch():
    source = MovingMNIST(some_digits(), None)
    batch = source.sequences([7, 3, 10**12, 3])
    for n, index in enumerate([7, 3, 10**12, 3]):
        np.testing.assert_array_equal(batch[n], source.sequences([index])[0])
    np.testing.assert_array_equal(
        batch, MovingMNIST(some_digits(), 10**12 + 1).sequences(np.array([7, 3, 10**12, 3]))
    )
    assert source.sequences([]).shape == (0, 20, 64, 64, 1)


def test_size_does_not_change_sequences_but_seed_does():
    seeds = [0, 1, (0, 1), (1, 0), (0, 0), -1]
    each = [MovingMNIST(some_digits(), 9, seed=seed).sequences([0, 1]) for seed in seeds]
    contents = {sequence.tobytes() for sequences in each for sequence in sequences}
    assert len(contents) == 2 * len(seeds)


def test_speed_is_three_to_five_pixels_a_frame(free_paths):
    steps = free_paths.shape[1] - 1
    speed = np.hypot(*(free_paths[:, -1] - free_paths[:, 0]).T / steps)
    # The ends of a way are rounded to pixels.
    slack = 2**0.5 / steps
    assert speed.min() > 3 - slack
    assert speed.max() < 5 + slack
    shares, _ = np.histogram(speed, [3.0, 3.5, 4.0, 4.5, 5.0])
    assert shares.min() > len(speed) / 4 * 0.7


def test_directions_cover_the_circle_evenly(free_paths):
    moved = free_paths[:, -1] - free_paths[:, 0]
    shares, _ = np.histogram(np.arctan2(moved[:, 0], moved[:, 1]), 8, (-np.pi, np.pi))
    assert shares.min() > len(moved) / 8 * 0.6
    assert shares.max() < len(moved) / 8 * 1.4


def test_start_positions_cover_the_frame_evenly(paths):
    for starts in paths[:, 0].T:
        shares, _ = np.histogram(starts, 4, (0, 150))
        assert shares.min() > len(starts) / 4 * 0.7


def test_steps_are_even_between_bounces(free_paths):
    steps = np.diff(free_paths, axis=1)
    assert (steps.max(axis=1) - steps.min(axis=1)).max() <= 1


def test_digits_stay_inside_and_reach_all_walls():
    at = positions(MovingMNIST(CORNERS, 200, num_digits=1, height=40, width=64), range(200))
    assert at.min() == 0
    assert at[..., 0].max() == 12
    assert at[..., 1].max() == 36


@pytest.mark.parametrize(("height", "width"), [(28, 28), (28, 40)])
def test_frame_may_be_as_small_as_a_digit(height, width):
    source = MovingMNIST(CORNERS, 20, num_digits=1, height=height, width=width)
    at = positions(source, range(20))
    assert (at[..., 0] == 0).all()
    assert at[..., 1].max() == width - 28


@settings(max_examples=200, deadline=None)
@given(
    start=st.integers(0, 9 * PIXEL),
    velocity=st.integers(-5 * PIXEL, 5 * PIXEL),
)
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


def test_overlaps_take_the_maximum():
    digits = np.stack([np.full((28, 28), level, np.uint8) for level in (100, 200)])
    got = MovingMNIST(digits, 40, height=30, width=30).sequences(range(40)) * 255
    assert set(np.unique(np.rint(got))) == {0, 100, 200}
    both = [sequence for sequence in got if len(np.unique(np.rint(sequence))) == 3]
    for sequence in both:
        # A digit 200 is never hidden.
        assert (np.rint(sequence) == 200).sum() == 20 * 28 * 28
    assert both


def test_every_digit_is_drawn():
    digits = np.full((7, 28, 28), np.arange(10, 17)[:, None, None], np.uint8)
    got = MovingMNIST(digits, 100, num_digits=1, total_length=1).sequences(range(100)) * 255
    assert set(np.unique(np.rint(got))) == {0, *range(10, 17)}


def test_train_and_test_share_no_digit():
    digits = load_digits("bundled")
    train = MovingMNIST(digits.train, None, num_digits=1, height=28, width=28, total_length=1)
    test = MovingMNIST(digits.test, None, num_digits=1, height=28, width=28, total_length=1)
    drawn = {frame.tobytes() for frame in train.sequences(range(3000))}
    assert len(drawn) > 1200
    assert not drawn & {frame.tobytes() for frame in test.sequences(range(1000))}


@pytest.mark.parametrize("num_digits", [1, 3])
def test_number_of_digits(num_digits):
    digits = np.full((1, 28, 28), 255, np.uint8)
    source = MovingMNIST(digits, 50, num_digits=num_digits, height=200, width=200)
    lit = source.sequences(range(50)).sum(axis=(2, 3, 4))
    assert lit.max() == num_digits * 28 * 28


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"digits": some_digits().astype(np.float32)}, "uint8.*float32"),
        ({"digits": some_digits()[:, :20]}, r"\[5, 20, 28\]"),
        ({"digits": some_digits(0)}, r"\[0, 28, 28\]"),
        ({"height": 27}, "at least 28 x 28.*27 x 64"),
        ({"width": 16}, "at least 28 x 28.*64 x 16"),
        ({"num_digits": 0}, "num_digits of at least 1, received 0"),
        ({"total_length": 0}, "total_length of at least 1, received 0"),
        ({"size": 0}, "number of sequences of at least 1, received 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(MimError, match=words):
        MovingMNIST(**{"digits": some_digits(), "size": 10} | arguments)


@pytest.mark.parametrize("index", [-1, 10])
def test_there_are_no_sequences_beyond_size(index):
    with pytest.raises(IndexError):
        MovingMNIST(some_digits(), 10).sequences([index])


def test_description_is_json_types():
    description = MovingMNIST(some_digits(), 10, seed=(np.int64(4), 1)).describe()
    fingerprint = description.pop("digits_sha256")
    assert len(fingerprint) == 64
    assert description == {
        "source": "generated Moving MNIST",
        "sequences": 10,
        "shape": [20, 64, 64, 1],
        "num_digits": 2,
        "seed": [4, 1],
        "digits": 5,
        "digits_origin": "an array",
    }
    assert MovingMNIST(some_digits(6), None).describe()["digits_sha256"] != fingerprint
