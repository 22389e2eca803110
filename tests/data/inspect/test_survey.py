import numpy as np
import pytest

from mim_tf.data.files.arrays import ArraySource
from mim_tf.data.scale_fit import ScaledSource
from mim_tf.data.windows import Recording, WindowSource
from mim_tf.inspection.survey import count_frames, spread, survey
from mim_tf.jobs.inspect import soundness
from mim_tf.values.scale import LinearScale


class Gappy(ArraySource):
    has_missing = True

    def sequences(self, indices):
        frames = super().sequences(indices)
        return np.where(frames == 0, np.float32(np.nan), frames)


def frames():
    frames = np.full((20, 3, 2, 2, 2), 0.5)
    frames[17, 1, 0, 0] = [0.25, 1]
    return frames


def test_survey_looks_at_every_value():
    found = survey(ArraySource(frames()))
    assert (found["sequences"], found["shape"]) == (20, [3, 2, 2, 2])
    assert (found["min"], found["max"]) == ([0.25, 0.5], [0.5, 1])
    assert found["mean"] == pytest.approx([0.5 - 0.25 / 240, 0.5 + 0.5 / 240])
    assert (found["missing"], found["still"]) == (0, 19)


def test_missing_values_are_counted_and_left_out():
    gappy = frames()
    gappy[3, :, :, :, 0] = 0
    found = survey(Gappy(gappy))
    assert found["min"] == [0.25, 0.5]
    assert found["missing"] == pytest.approx(12 / 480)


def test_a_channel_without_values_has_no_statistics():
    nothing = frames()
    nothing[..., 1] = 0
    found = survey(Gappy(nothing))
    assert found["min"][1] is found["mean"][1] is found["max"][1] is None


def test_histograms_count_the_values_of_each_channel():
    gappy = frames()
    gappy[3, :, :, :, 0] = 0
    (first, second) = survey(Gappy(gappy), bins=4)["histogram"]
    assert first == [0, 1, 227, 0]  # 0.25 is in the second bin, 0.5 in the third
    assert second == [0, 0, 239, 1]


class Values(Recording):
    def __init__(self, name, length):
        self.name, self.length = name, length

    def read(self, positions):
        return np.zeros((len(positions), 2, 2, 1), np.float32)


def test_frames_in_no_sequence_are_counted():
    both = [Values("a", 49), Values("b", 24)]
    source = WindowSource(both, (2, 2, 1), 25, 25)
    assert count_frames([source]) == (73, 48)
    assert "48 of 73 frames are in no sequence and were not read" in soundness([source])
    # What a split leaves out, another may have.
    rest = WindowSource(both, (2, 2, 1), 24, starts=[(0, 25), (1, 0)])
    scaled = ScaledSource(rest, LinearScale("K", 0, 9))
    assert count_frames([source, scaled]) == (73, 0)
    assert soundness([source, scaled]) == "Sound: every value was read and is in [0, 1] or missing."
    assert count_frames([ArraySource(frames())]) == (0, 0)


@pytest.mark.parametrize(
    ("size", "count", "expected"), [(9, 3, [0, 4, 8]), (2, 5, [0, 1]), (1, 5, [0])]
)
def test_spread(size, count, expected):
    assert spread(size, count) == expected
