import hashlib

import numpy as np
import pytest

from mim_tf.data.sets.moving_mnist.digits import load_digits
from mim_tf.data.sets.moving_mnist.source import ColorMovingMNIST, MovingMNIST
from mim_tf.errors import MimError

WHITE = np.full((1, 28, 28), 255, np.uint8)


def some_digits(n=5):
    return np.random.default_rng(0).integers(0, 256, (n, 28, 28), dtype=np.uint8)


def colors(n, total_length=20, **arguments):
    """Colours `[n, T, 3]` of sequences in which a white digit fills the frame."""
    small = {"num_digits": 1, "height": 28, "width": 28, "total_length": total_length}
    frames = ColorMovingMNIST(WHITE, None, **small | arguments).sequences(range(n))
    assert (frames == frames[:, :, :1, :1]).all()
    return frames[:, :, 0, 0]


@pytest.fixture(scope="module")
def ends():
    """First and last value of the channels, `[2, 1000, 3]`."""
    return colors(1000, total_length=2).transpose(1, 0, 2)


def test_sequences_are_bytewise_the_same_everywhere():
    """A change of this number is a change of every generated data set."""
    source = ColorMovingMNIST(load_digits("bundled").train, 1000, seed=(3, 1))
    got = source.sequences([0, 1, 2, 500, 999])
    assert got.dtype == np.float32
    assert got.shape == (5, 20, 64, 64, 3)
    assert source.shape == (20, 64, 64, 3)
    assert hashlib.sha256(got.astype("<f4").tobytes()).hexdigest() == (
        "185b0572f7e0b2d7d5773fa1aae06d1dd5ed2b0eec54216f882aa2b5688a5859"
    )


def test_a_sequence_does_not_depend_on_its_batch():
    indices = [7, 3, 10**12, 3]
    batch = ColorMovingMNIST(some_digits(), None).sequences(indices)
    source = ColorMovingMNIST(some_digits(), 10**12 + 1)
    for sequence, index in zip(batch, indices, strict=True):
        np.testing.assert_array_equal(sequence, source.sequences(np.array([index]))[0])
    assert source.sequences([]).shape == (0, 20, 64, 64, 3)


def test_seed_changes_colors():
    contents = {colors(2, seed=seed).tobytes() for seed in (0, 1, (0, 1), (1, 0), -1)}
    assert len(contents) == 5


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


@pytest.mark.parametrize("total_length", [2, 3, 20, 31])
def test_colors_change_evenly_from_first_to_last_frame(total_length):
    got = colors(20, total_length)
    expected = np.linspace(got[:, 0], got[:, -1], total_length, axis=1)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-7)
    change = np.abs(got[:, -1] - got[:, 0])
    assert change.min() > 0.0949
    assert change.max() < 0.3421


def test_step_over_twenty_frames_is_that_of_the_authors_pictures():
    steps = np.abs(np.diff(colors(200), axis=1))
    assert 0.00499 < steps.min() < 0.0052
    assert 0.0178 < steps.max() < 0.01801


def test_colors_stay_within_bounds_and_come_near_them(ends):
    assert np.float32(0.29) <= ends.min() < 0.292
    assert 0.698 < ends.max() <= np.float32(0.70)
    one_frame = colors(50, total_length=1)
    assert one_frame.min() >= np.float32(0.29)
    assert one_frame.max() <= np.float32(0.70)


def test_changes_and_levels_are_uniform(ends):
    change = np.abs(ends[1] - ends[0])
    where = (ends.min(axis=0) - 0.29) / (0.41 - change)
    for values, bounds in ((change, (0.0949, 0.3421)), (where, (-1e-5, 1 + 1e-5))):
        for channel in values.T:
            shares, _ = np.histogram(channel, 4, bounds)
            assert shares.sum() == 1000
            assert 200 < shares.min() <= shares.max() < 300


def test_channels_rise_and_fall_independently(ends):
    kinds = (ends[1] > ends[0]) @ [1, 2, 4]
    assert np.bincount(kinds, minlength=8).min() > 1000 / 8 * 0.7
    correlation = np.corrcoef(ends.transpose(2, 0, 1).reshape(3, -1))
    assert np.abs(correlation - np.eye(3)).max() < 0.1


def test_overlaps_take_the_maximum_of_each_channel():
    got = ColorMovingMNIST(WHITE, 40, height=30, width=30).sequences(range(40))
    mixed = 0
    for frame in got.reshape(-1, 30, 30, 3):
        overlap = frame[15, 15]
        colors_seen = np.unique(frame.reshape(-1, 3), axis=0)
        apart = [color for color in colors_seen if color.any() and (color != overlap).any()]
        if len(apart) == 2:
            np.testing.assert_array_equal(overlap, np.maximum(*apart))
            mixed += 1
    assert mixed > 100


def test_each_digit_has_a_color_of_its_own():
    source = ColorMovingMNIST(WHITE, 10, num_digits=3, height=150, width=150, total_length=1)
    for frame in source.sequences(range(10))[:, 0]:
        # Black, three digits, and what mixes where they overlap.
        assert len(np.unique(frame.reshape(-1, 3), axis=0)) >= 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"digits": some_digits().astype(np.float32)}, "uint8.*float32"),
        ({"width": 27}, "at least 28 x 28.*64 x 27"),
        ({"num_digits": 0}, "num_digits of at least 1, received 0"),
        ({"total_length": 0}, "total_length of at least 1, received 0"),
        ({"size": 0}, "number of sequences of at least 1, received 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(MimError, match=words):
        ColorMovingMNIST(**{"digits": some_digits(), "size": 10} | arguments)


@pytest.mark.parametrize("index", [-1, 10])
def test_there_are_no_sequences_beyond_size(index):
    with pytest.raises(IndexError):
        ColorMovingMNIST(some_digits(), 10).sequences([index])


def test_description_names_the_data_set():
    arguments = {"digits": some_digits(), "size": 10, "seed": (4, 1), "origin": "somewhere"}
    grey = MovingMNIST(**arguments).describe()
    assert ColorMovingMNIST(**arguments).describe() == grey | {
        "source": "generated colour-changing Moving MNIST",
        "shape": [20, 64, 64, 3],
    }
