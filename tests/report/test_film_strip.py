"""Figures for papers."""

import numpy as np
import pytest
from PIL import Image

from mim_tf.errors import MimError
from mim_tf.evaluation.stored import write_scores
from mim_tf.report.film_strip import draw, read_strip, write_film_strip
from tests.report.conftest import CONTEXT, evaluation


@pytest.fixture
def runs(tmp_path):
    """Evaluations of the same sequences; the best of each is another one."""
    scale = {"unit": "dBZ", "low": 0.0, "high": 70.0}
    for name, best in (("a", 0), ("b", 5)):
        result = evaluation(scale=scale)
        result["samples"]["index"][4] = best
        result["samples"]["index"][6] = 5
        write_scores(tmp_path / name, result, CONTEXT)
    return [tmp_path / "a", tmp_path / "b"]


def test_rows_and_columns(runs):
    strip = read_strip(runs, "2", ["MIM", "ConvLSTM"])
    figure = draw(strip)
    rows = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert rows == ["truth", "MIM", "error", "ConvLSTM", "error", "error in dBZ", "dBZ"]
    times = [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]
    assert times == ["\N{MINUS SIGN}1", "0", "+1", "+2", "+3", "+4"]
    with np.load(runs[0] / "samples.npz") as samples:
        np.testing.assert_array_equal(strip.truth, samples["truth"][1])
        np.testing.assert_array_equal(strip.forecasts["MIM"], samples["forecast"][1])


def test_an_error_of_zero_is_white(runs):
    strip = read_strip(runs[:1], "best", [])
    strip.forecasts["prediction"][:] = strip.truth[CONTEXT:]
    error = draw(strip).axes[6 * 2 + 2].images[0].get_array()
    assert error[..., :3].min() > 0.95


def test_an_error_where_the_truth_is_missing_is_grey(runs):
    result = evaluation(scale={"unit": "dBZ", "low": 0.0, "high": 70.0})
    missing = np.zeros(result["samples"]["truth"].shape, bool)
    missing[..., 0, 0] = True
    result["samples"]["missing"] = missing
    write_scores(runs[0], result, CONTEXT)
    axes = draw(read_strip(runs[:1], "best", [])).axes
    truth, error = (axes[6 * row + 2].images[0].get_array() for row in (0, 2))
    assert (truth[:, 0] == 128).all()
    np.testing.assert_allclose(error[:, 0], [[0.5, 0.5, 0.5, 1]] * 16, atol=0.01)
    assert len(np.unique(error[:, 1:])) > 100


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_one_column_wide_at_300_dpi(runs, tmp_path, suffix, start):
    path = tmp_path / f"strip.{suffix}"
    write_film_strip(runs, path)
    assert path.read_bytes().startswith(start)
    if suffix == "png":
        picture = Image.open(path)
        assert picture.width == 1020
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sequence": "best"}, None),  # sequence 1, of the first four
        ({"sequence": "median"}, None),
        ({"sequence": "9"}, "--sequence must be one of 1, 2, 3, 4, best, median, worst; received"),
        ({"names": ["MIM"]}, "Expected 2 names, one for each model, received 1"),
        ({"output": "strip.gif"}, "must end in .pdf or .png, received strip.gif"),
    ],
)
def test_sequences_and_names(runs, tmp_path, arguments, words):
    arguments = {"output": tmp_path / "strip.png", **arguments}
    if words is None:
        write_film_strip(runs, **arguments)
        return
    with pytest.raises(MimError, match=words):
        write_film_strip(runs, **arguments)
    assert not (tmp_path / "strip.png").exists()


def test_an_existing_file_stays(runs, tmp_path):
    (tmp_path / "strip.png").write_text("mine")
    with pytest.raises(MimError, match="exists already"):
        write_film_strip(runs, tmp_path / "strip.png")
    assert (tmp_path / "strip.png").read_text() == "mine"
