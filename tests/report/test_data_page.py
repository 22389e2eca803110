"""The page of a data set."""

import re

import numpy as np
import pytest

from mim_tf.data.files.arrays import ArraySource
from mim_tf.inspection.survey import survey
from mim_tf.report import write as data_page
from mim_tf.report.charts import histogram_chart
from mim_tf.report.write import write_data_page
from mim_tf.values.scale import LinearScale
from tests.report.test_players import decoded
from tests.report.test_write import text_of


class Field(ArraySource):
    has_missing = True
    scale = LinearScale("dBZ", 0.0, 70.0)

    def sequences(self, indices):
        frames = super().sequences(indices)
        return np.where(frames == 0, np.float32(np.nan), frames)

    def describe(self):
        return {**super().describe(), "scale": {"unit": "dBZ", "low": 0.0, "high": 70.0}}


def frames(channels):
    frames = np.random.default_rng(0).uniform(0.2, 0.9, (9, 5, 8, 8, channels))
    frames[:, :, 0, 0] = 0
    return frames


def page_of(path, source):
    write_data_page(path, "storms", "array", {"all": source}, {"all": survey(source, 10)})
    return path


def test_summary_histogram_and_players(tmp_path):
    path = page_of(tmp_path / "page.html", Field(frames(1)))
    words, page = text_of(path), path.read_text()
    assert words.startswith("storms: data storms Read as --dataset=array.")
    assert "All: 9 sequences of 5 frames, 8 x 8 x 1" in words
    assert "missing values 1.56%" in words
    titles = re.findall(r"<figcaption>(Sequence \d+)", page)
    assert titles == [f"Sequence {number}" for number in (1, 2, 3, 4, 5, 9)]
    assert "values most often near" in page
    assert "dBZ" in words


@pytest.mark.parametrize(("clipped", "expected"), [(True, "in [0, 1]"), (False, "finite")])
def test_it_says_what_was_found_of_the_values(tmp_path, clipped, expected):
    source = Field(frames(1))
    source.scale = LinearScale("dBZ", 0.0, 70.0, clipped=clipped)
    words = text_of(page_of(tmp_path / "page.html", source))
    assert f"Sound: every value was read and is {expected} or missing." in words


def test_missing_values_are_grey_and_channels_stand_side_by_side():
    source = Field(frames(2))
    player, *_ = data_page.players(source, 9, 10**7)
    assert [pane.title for pane in player.panes] == ["channel 1", "channel 2"]
    for pane in player.panes:
        shown = decoded(pane)
        assert (shown[:, 0, 0] == 128).all()
        assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 20


def test_a_histogram_shows_shares_on_a_logarithmic_axis():
    chart = histogram_chart("share", "dBZ", {"values": [90, 9, 0, 1]}, 0, 40)
    assert [text for _, text in chart.y_ticks] == ["10\u207b\u00b3", "0.01", "0.1", "1"]
    bottom, *_, top = [place for place, _ in chart.y_ticks]
    heights = [float(y) for y in re.findall(r"V([\d.]+)H", chart.lines[0].path)]
    decade = (bottom - top) / 3
    assert heights[2] == bottom
    assert heights[1] - heights[0] == pytest.approx(decade, abs=0.2)
    assert bottom - heights[3] == pytest.approx(decade, abs=0.2)
    assert chart.summary == "share: values most often near 5."
