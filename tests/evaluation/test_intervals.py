"""Intervals of scores whose truth is known, and the groups that sources say they have."""

import numpy as np
import pytest

from mim_tf.data.files.arrays import ArraySource
from mim_tf.data.scale_fit import ScaledSource
from mim_tf.data.split import Selection
from mim_tf.data.windows import Recording, WindowSource
from mim_tf.evaluation.score_set import scores_for
from mim_tf.evaluation.stored import basis
from mim_tf.values.scale import LinearScale

FRAMES = 6


class Silence(Recording):
    def __init__(self, length):
        self.name, self.length = "silence", length

    def read(self, positions):
        return np.zeros((len(positions), 1, 1, 1), np.float32)


def windows(*lengths, frames=FRAMES, **settings):
    return WindowSource([Silence(length) for length in lengths], (1, 1, 1), frames, **settings)


def ar1(rng, length, coefficient=0.9):
    noise = rng.normal(0, np.sqrt(1 - coefficient**2), length)
    noise[0] = rng.normal()
    for t in range(1, length):
        noise[t] += coefficient * noise[t - 1]
    return noise


def covered(rng, *lengths):
    """Whether the interval of the MAE of windows of AR(1) errors around 5 holds 5."""
    source = windows(*lengths)
    errors = [ar1(rng, length) + 5 for length in lengths]
    prediction = np.stack(
        [errors[number][first : first + FRAMES] for number, first in source._starts]
    ).astype(np.float32)[..., None, None, None]
    scores = scores_for(source, "per_pixel")
    scores.update(np.zeros_like(prediction), prediction)
    low, high = scores.intervals(source.groups(range(source.size)))["mae"]
    return low <= 5 <= high


@pytest.mark.parametrize("lengths", [(30,) * 12, (25, 40) * 15, (900,)])
def test_95_percent_intervals_cover_the_truth_in_95_percent_of_cases(lengths):
    rng = np.random.default_rng(0)
    share = np.mean([covered(rng, *lengths) for _ in range(200)])
    assert 0.9 <= share <= 0.99


def test_windows_of_a_recording_are_a_group():
    source = windows(*[8] * 10)
    assert source.groups(range(30)).tolist() == [number for number in range(10) for _ in range(3)]
    assert Selection(source, [0, 1, 29]).groups([2, 0]).tolist() == [9, 0]
    scaled = ScaledSource(source, LinearScale("K", 0, 1))
    assert scaled.groups([3, 2]).tolist() == [1, 0]


@pytest.mark.parametrize(("lengths", "settings"), [((500,), {}), ((90, 300), {"stride": 3})])
def test_few_recordings_are_divided_into_blocks_of_three_windows_at_least(lengths, settings):
    source = windows(*lengths, **settings)
    groups, starts = source.groups(range(source.size)), source._starts
    assert 10 <= len(set(groups)) <= 20
    for group in set(groups):
        (number,) = set(starts[groups == group, 0])
        firsts = starts[(starts[:, 0] == number), 1]
        own = starts[groups == group, 1]
        # To the first window of the next block, or to the end of the recording.
        after = firsts[firsts > own.max()]
        assert (after.min() if len(after) else own.max() + 1) - own.min() >= 3 * FRAMES - 2


def test_blocks_have_a_day_where_the_step_is_known():
    for step, blocks in (("", 15), ("1 hour", 11)):
        source = windows(24 * 12, frames=2)
        source.frame_step = step
        assert len(set(source.groups(range(source.size)))) == blocks


def test_sequences_are_independent_unless_the_source_says_otherwise():
    assert ArraySource(np.zeros((3, 2, 1, 1, 1), np.uint8)).groups([2, 0]).tolist() == [2, 0]


def test_one_group_has_no_interval():
    scores = scores_for(windows(10))
    scores.update(*np.zeros((2, 5, 2, 1, 1, 1)))
    assert set(scores.intervals([3] * 5).values()) == {None}


@pytest.mark.parametrize(
    ("recordings", "named", "words"),
    [
        (64, 0, "64 sequences."),
        (12, 12, "64 windows of 12 recordings."),
        (12, 1, "64 windows of 12 blocks of time."),
        (4, 4, "64 windows of 4 recordings: the intervals are rough."),
    ],
)
def test_what_intervals_rest_on_is_said(recordings, named, words):
    data = {"recordings": ["a"] * named}
    assert basis({"sequences": 64, "recordings": recordings, "data": data}) == words
    assert "Evaluate again" in basis({"sequences": 64, "data": data})
