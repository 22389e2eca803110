"""The frames that players show."""

import base64
import io

import numpy as np
from PIL import Image

from mim_tf.report.colors import field_of
from mim_tf.report.players import error_map_player, sequence_players, shown_samples
from mim_tf.report.read import read_material
from tests.report.conftest import CONTEXT, HORIZON


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


def test_three_fields_are_no_colours():
    arrays = {name: np.zeros((2, 4, 8, 8, 3), np.uint8) for name in ("truth", "forecast")}
    scale = {"unit": ["K", "m s-1", "m s-1"], "low": [0, 0, 0], "high": [1, 1, 1]}
    for data, channels in (({"scale": scale}, 1), ({}, 3)):
        shown = shown_samples(arrays | {"index": np.arange(2)}, field_of(data))
        assert shown["truth"].shape[-1] == shown["forecast"].shape[-1] == channels
        assert len(shown["index"]) == 2
