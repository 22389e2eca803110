"""The frames that players show."""

import base64
import io

import numpy as np
from PIL import Image

from mim_tf.evaluation.stored import write_scores
from mim_tf.report.charts import difference_limit, field_of, visible
from mim_tf.report.players import error_map_player, sequence_players, shown_samples
from mim_tf.report.read import read_material
from tests.report.conftest import CONTEXT, HORIZON, evaluation


def decoded(pane):
    """The frames of a sprite `[T, H, W, 3]`."""
    data = pane.picture.removeprefix("data:image/png;base64,")
    row = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    return np.stack(np.split(row, pane.frames, axis=1))


def test_truth_prediction_and_error(run):
    material = read_material(run)
    best, *_ = sequence_players(material)
    assert (best.frames, best.context) == (CONTEXT + HORIZON, CONTEXT)
    truth, prediction, error = map(decoded, best.panes)
    samples = material.samples
    np.testing.assert_array_equal(truth[..., :1], samples["truth"][4])
    np.testing.assert_array_equal(prediction[:CONTEXT], truth[:CONTEXT])
    np.testing.assert_array_equal(prediction[CONTEXT:, ..., :1], samples["forecast"][4])
    assert error[:CONTEXT].max() < 5  # black: no error
    too_high = prediction[CONTEXT:, ..., 0].astype(int) - truth[CONTEXT:, ..., 0] > 100
    red, _, blue = np.moveaxis(error[CONTEXT:].astype(int), -1, 0)
    assert (red > blue)[too_high].all()


def test_the_error_map_has_its_range_below_it(run):
    material = read_material(run)
    player = error_map_player(material)
    by_time, overall = player.panes
    assert (player.frames, player.context, overall.frames) == (HORIZON, 0, 1)
    assert (overall.bar.low, overall.bar.high) == ("0", "1")
    shown = decoded(by_time).astype(int).sum(axis=-1)
    squares = material.samples["error_map"]
    assert shown.flat[squares.argmax()] > shown.flat[squares.argmin()]


def test_a_pixel_that_is_never_known_is_grey(run):
    material = read_material(run)
    material.samples["error_map"][:, 0, 0] = np.nan
    by_time, overall = error_map_player(material).panes
    assert (decoded(by_time)[:, 0, 0] == 128).all()
    assert (decoded(overall)[:, 0, 0] == 128).all()


def test_missing_values_are_grey_in_truth_and_error(run):
    result = evaluation()
    missing = np.zeros(result["samples"]["truth"].shape, bool)
    missing[:, :, 0] = True
    result["samples"]["missing"] = missing
    write_scores(run / "scores" / "000200", result, CONTEXT)
    best, *_ = sequence_players(read_material(run))
    truth, prediction, error = map(decoded, best.panes)
    assert (truth[:, 0] == 128).all()
    assert (prediction[:CONTEXT, 0] == 128).all()
    assert (error[:, 0] == 128).all()
    for pane in (truth, prediction[CONTEXT:], error):
        assert len(np.unique(pane[:, 1:])) > 100
    np.testing.assert_array_equal(prediction[CONTEXT:, ..., :1], result["samples"]["forecast"][4])


def test_missing_values_have_no_say_in_the_limit_of_differences():
    truth = np.ma.masked_array(np.zeros((4, 8, 8, 1), np.uint8), False)
    forecast = np.full(truth.shape, 51, np.uint8)
    truth[:, :4] = np.ma.masked
    forecast[:, :4] = 255
    assert abs(difference_limit(truth, forecast) - 0.2) < 1e-6
    assert difference_limit(np.ma.masked_all(truth.shape, np.uint8), forecast) == 0.01


def test_a_colour_with_a_missing_channel_is_grey():
    levels = np.ma.masked_array(np.zeros((1, 2, 2, 3), np.uint8), False)
    levels[0, 0, 0, 1] = np.ma.masked
    assert visible(levels, field_of({})).sum(axis=-1).tolist() == [[[384, 0], [0, 0]]]


def test_three_fields_are_no_colours():
    arrays = {name: np.zeros((2, 4, 8, 8, 3), np.uint8) for name in ("truth", "forecast")}
    scale = {"unit": ["K", "m s-1", "m s-1"], "low": [0, 0, 0], "high": [1, 1, 1]}
    for data, channels in (({"scale": scale}, 1), ({}, 3)):
        shown = shown_samples(arrays | {"index": np.arange(2)}, field_of(data))
        assert shown["truth"].shape[-1] == shown["forecast"].shape[-1] == channels
        assert len(shown["index"]) == 2
