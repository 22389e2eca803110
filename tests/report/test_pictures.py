"""Charts, players and film strips."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mim_tf.errors import MimError
from mim_tf.evaluation.stored import read_samples, write_scores
from mim_tf.report import film_strip
from mim_tf.report.charts import line_chart
from mim_tf.report.film_strip import write_film_strip
from mim_tf.report.pages import MOST_RUNS
from mim_tf.report.players import (
    difference,
    error_map_player,
    field_of,
    sequence_players,
    visible,
)
from mim_tf.report.tables import BASELINES
from mim_tf.values.scale import RAIN_SCALES
from tests.report.conftest import CONTEXT, DBZ, HORIZON, decoded, evaluation


def points_of(svg):
    """Return x and y of each point of the first line."""
    path = re.search(r'class="line[^>]*>\s*<path d="([^"]*)"', svg)[1]
    return [tuple(map(float, point)) for point in re.findall(r"[ML] ([\d.]+) ([\d.]+)", path)]


def labels_of(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_a_line_goes_from_edge_to_edge_and_leaves_out_what_is_undefined():
    title, svg = line_chart("mse", "lead time", [1, 2, 3], {"model": [10.0, None, 30.0]})
    (left, low), (right, high) = points_of(svg)
    assert title == "mse"
    assert left < 60
    assert right > 390
    assert high < low - 100
    assert labels_of(svg)[:4] == ["1", "2", "3", "lead time"]
    expected = ["model, lead time 1: 10", "model, lead time 3: 30"]
    assert re.findall("<title>(.*)</title>", svg) == expected
    assert 'aria-label="mse by lead time: model from 10 to 30."' in svg


@pytest.mark.parametrize(
    ("name", "unit", "low", "error"), [("dbz", "dBZ", 5, 16), ("log", "ln(1 + 10 R)", 0, 2.2172)]
)
def test_errors_of_rain_are_in_the_steps_of_its_scale(name, unit, low, error):
    scale = RAIN_SCALES[name]
    field = field_of({"scale": scale.as_json()})
    levels = [np.ma.array(255 * scale.to_unit(np.full((1, 2, 2, 1), rain))) for rain in (1.0, 10.0)]
    # Z = 200 R ** 1.6: ten times the rain is 16 dB more. ln(101 / 11) is 2.2172.
    np.testing.assert_allclose(difference(*levels, field) * field.size, error, rtol=1e-3)
    assert (field.unit, field.low) == (unit, pytest.approx(low))


def test_every_run_and_baseline_of_a_page_has_a_style():
    style = (Path(film_strip.__file__).parent / "templates" / "style.css").read_text()
    for number in range(MOST_RUNS + len(BASELINES)):
        assert f".style-{number} {{ --own" in style


def test_titles_cannot_break_out_of_the_svg_and_nothing_has_no_chart():
    assert "<b>" not in line_chart("<b>", '"<b>', [1], {"<b>": [1]}).svg.replace(" ", "")
    assert line_chart("mse", "lead time", [1], {"model": [None]}).svg == ""


def test_text_between_dollars_is_no_formula():
    svg = line_chart("mse", "$x_1$ \x1b[31m", [1], {"model": [1]}).svg
    assert "$x_1$ \\x1b[31m" in svg


def test_logarithmic_axes_go_from_long_to_short_waves_and_leave_out_zeros():
    series = {"model": [10.0, 0.0, 0.1]}
    svg = line_chart("spectrum", "wavelength", [32, 8, 2], series, logarithmic=True).svg
    (left, top), (right, bottom) = points_of(svg)
    assert left < right
    assert top < bottom
    labels = labels_of(svg)
    assert set(labels) == {"2", "4", "8", "16", "32", "wavelength", "0.1", "1", "10"}
    nothing = line_chart("spectrum", "wavelength", [2], {"model": [0.0]}, logarithmic=True)
    assert nothing.svg == ""


def panes_of(folder, **options):
    """Return the samples of an evaluation, and the panes of the first."""
    write_scores(folder, evaluation(**options), CONTEXT)
    kept = read_samples(folder)
    (player,) = sequence_players({"prediction": kept}, field_of({}), {0: ("", "")})
    assert (player.frames, player.context) == (CONTEXT + HORIZON, CONTEXT)
    return kept, *map(decoded, player.panes)


def test_a_player_shows_truth_prediction_and_error(tmp_path):
    kept, truth, prediction, error = panes_of(tmp_path)
    np.testing.assert_array_equal(truth[..., :1], kept.truth[0])
    np.testing.assert_array_equal(prediction[:CONTEXT], truth[:CONTEXT])
    np.testing.assert_array_equal(prediction[CONTEXT:, ..., :1], kept.forecast[0])
    assert error[:CONTEXT].max() < 5  # black: no error
    too_high = prediction[CONTEXT:, ..., 0].astype(int) - truth[CONTEXT:, ..., 0] > 100
    red, _, blue = np.moveaxis(error[CONTEXT:].astype(int), -1, 0)
    assert (red > blue)[too_high].all()


def test_missing_values_are_grey_in_truth_and_error(tmp_path):
    kept, truth, prediction, error = panes_of(tmp_path, missing=np.s_[:, :, 0])
    for shown in (truth, prediction[:CONTEXT], error):
        assert (shown[:, 0] == 128).all()
    for shown in (truth, prediction[CONTEXT:], error):
        assert len(np.unique(shown[:, 1:])) > 100
    np.testing.assert_array_equal(prediction[CONTEXT:, ..., :1], kept.forecast[0])


def test_the_error_map_has_its_range_below_it_and_unknown_pixels_in_grey():
    squares = np.random.default_rng(0).random((HORIZON, 16, 16), np.float32)
    squares[1, 1, 1] = 1
    squares[:, 0, 0] = np.nan
    player = error_map_player(squares, field_of({}), 6)
    by_time, overall = player.panes
    assert (player.frames, player.context, overall.frames) == (HORIZON, 0, 1)
    assert (overall.bar.low, overall.bar.high) == ("0", "1")
    shown = decoded(by_time).astype(int).sum(axis=-1)
    assert shown.flat[np.nanargmax(squares)] > shown.flat[np.nanargmin(squares)]
    for pane in player.panes:
        assert (decoded(pane)[:, 0, 0] == 128).all()


@pytest.fixture
def kept(tmp_path):
    """Return two evaluations of the same sequences; the best of each is another one."""
    for name, best in (("a", 0), ("b", 5)):
        result = evaluation(scale=DBZ)
        result["samples"]["index"][4] = best
        result["samples"]["index"][6] = 5
        write_scores(tmp_path / name, result, CONTEXT)
    return [tmp_path / "a", tmp_path / "b"]


def test_a_film_strip_has_a_row_for_truth_and_two_for_each_network(kept):
    samples = {name: read_samples(path) for name, path in zip(["MIM", "B"], kept, strict=True)}
    field = field_of({"scale": DBZ})
    axes = film_strip.draw(samples, field, 1).axes
    rows = [each.get_ylabel() for each in axes if each.get_ylabel()]
    assert rows == ["truth", "MIM", "error", "B", "error", "error in dBZ", "dBZ"]
    times = [each.get_xlabel() for each in axes if each.get_xlabel()]
    assert times == ["\N{MINUS SIGN}1", "0", "+1", "+2", "+3", "+4"]
    first = axes[0].images[0].get_array()
    np.testing.assert_array_equal(first, visible(samples["MIM"].truth[1, CONTEXT - 2], field))


def test_a_film_strip_is_one_column_wide_at_300_dpi(kept, tmp_path):
    write_film_strip(kept, tmp_path / "strip.png", "best")
    picture = Image.open(tmp_path / "strip.png")
    assert picture.width == 1020
    assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"sequence": "9"}, "--sequence"),
        ({"names": ["MIM"]}, "--names"),
        ({"output": "strip.gif"}, "--output"),
        ({"output": "there.png"}, r"there\.png"),
    ],
)
def test_film_strip_rejects_wrong_arguments(kept, in_tmp, arguments, named):
    (in_tmp / "there.png").write_text("mine")
    with pytest.raises(MimError, match=named):
        write_film_strip(kept, **{"output": "strip.png", **arguments})
    assert {each.name for each in in_tmp.iterdir()} == {"a", "b", "there.png"}
    assert (in_tmp / "there.png").read_text() == "mine"
