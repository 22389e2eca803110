"""Pictures of samples, the map of errors, and the choice of samples."""

import imageio.v3 as imageio
import numpy as np
import pytest
from PIL import ImageDraw

from mim_tf.errors import MimError
from mim_tf.evaluation import pictures
from mim_tf.evaluation.pictures import (
    ErrorMap,
    choose_samples,
    film_strip,
    save_sample,
    side_by_side,
)
from mim_tf.values.scale import LinearScale

GREY, ORANGE = list(pictures.CONTEXT), list(pictures.PREDICTED)


def sample(channels=1, height=8, width=12):
    generator = np.random.default_rng(0)
    truth = generator.random((5, height, width, channels))
    return truth, generator.uniform(-0.5, 1.5, (3, height, width, channels))


def test_files_have_the_names_of_2019_and_others_stay(tmp_path):
    folder = tmp_path / "new"
    for length in (-1, 1, 6):
        with pytest.raises(MimError, match=f"with input_length {length}"):
            save_sample(folder, *sample(), input_length=length)
        assert not folder.exists()
    for _ in range(2):
        save_sample(folder, *sample(), input_length=2)
        (folder / "mine.txt").write_text("kept")
    assert {path.name for path in folder.iterdir()} == {
        "mine.txt",
        *(f"gt{number}.png" for number in range(1, 6)),
        *(f"pd{number}.png" for number in range(3, 6)),
        "truth_and_prediction.gif",
    }
    metadata = imageio.immeta(folder / "truth_and_prediction.gif")
    assert (metadata["duration"], metadata["loop"]) == (200, 0)
    frames = imageio.imread(folder / "truth_and_prediction.gif", mode="RGB")
    # A palette of 256 colours keeps grey frames nearly as they are.
    assert np.abs(frames.astype(int) - side_by_side(*sample(), 2)).max() <= 8


def test_missing_values_are_saved_as_such_and_shown_as_the_network_has_them(tmp_path):
    truth, prediction = sample()
    scale = LinearScale("K", 200, 300, clipped=False, black=150, white=250)
    truth[:, 0] = np.nan
    save_sample(tmp_path, truth, prediction, 2, scale)
    with np.load(tmp_path / "values.npz") as values:
        assert values["unit"] == "K"
        np.testing.assert_allclose(values["truth"], 200 + 100 * truth, rtol=1e-6)
        np.testing.assert_allclose(values["prediction"], 200 + 100 * prediction, rtol=1e-6)
    assert (imageio.imread(tmp_path / "gt4.png")[0] == 127).all()
    assert (film_strip(truth, prediction, 2, scale)[0] == 127).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_files_hold_clipped_and_truncated_frames(tmp_path, channels):
    truth, prediction = sample(channels)
    save_sample(tmp_path, truth, prediction, 2)
    shown = (lambda frame: frame) if channels == 3 else (lambda frame: frame[..., 0])
    for name, frame in (("gt2", truth[1]), ("gt5", truth[4]), ("pd3", prediction[0])):
        expected = np.floor(np.clip(shown(frame), 0, 1) * 255)
        np.testing.assert_array_equal(imageio.imread(tmp_path / f"{name}.png"), expected)


def test_right_side_shows_context_then_prediction():
    truth, prediction = sample()
    frames = side_by_side(truth, prediction, 2)[:, pictures.LINE : -pictures.LINE]
    width, border = (frames.shape[2] - pictures.GAP) // 2, pictures.BORDER
    left, right = frames[:, :, :width], frames[:, :, -width:]
    assert left[:, 0, 0].tolist() == [GREY] * 5
    assert right[:, 0, 0].tolist() == [GREY, GREY, ORANGE, ORANGE, ORANGE]
    left, right = (side[:, border:-border, border:-border] for side in (left, right))
    np.testing.assert_array_equal(left[:2], right[:2])
    # A factor of 32: one value is 32 x 32 equal pixels.
    expected = np.floor(np.clip(prediction, 0, 1) * 255).repeat(32, axis=1).repeat(32, axis=2)
    np.testing.assert_array_equal(right[2:], expected.repeat(3, axis=3))


def test_an_animation_has_labels_and_a_counter(monkeypatch):
    texts, draw = [], ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw, "text", lambda self, *a, **k: texts.append(a[1]) or draw(self, *a, **k)
    )
    truth = np.zeros((4, 8, 8, 1))
    bottom = side_by_side(truth, truth[2:], 2)[:, -pictures.LINE :]
    counts = [f"{part} {n} of 2" for part in ("context", "lead time") for n in (1, 2)]
    labels = ["context", "context", "forecast", "forecast"]
    assert texts == [x for each in zip(["truth"] * 4, labels, counts, strict=True) for x in each]
    assert len(np.unique(bottom.reshape(4, -1), axis=0)) == 4  # each frame has its number
    assert side_by_side(np.zeros((3, 64, 2, 1)), np.zeros((1, 64, 2, 1)), 2).shape[2] > 100


def test_a_film_strip_has_truth_above_prediction():
    truth = np.arange(5, dtype=np.float32)[:, None, None, None] / 255 * np.ones((5, 2, 3, 1))
    prediction = truth[2:] + np.float32(100 / 255)
    strip = film_strip(truth, prediction, 2)
    assert strip.shape == (4, 9, 3)
    assert strip[0, ::3, 0].tolist() == [2, 3, 4]
    assert np.abs(strip[2, ::3, 0] - np.array([102, 103, 104])).max() <= 1


def error_map(truth, prediction):
    errors = ErrorMap()
    errors.update(truth, prediction)
    return errors


def test_the_error_map_is_of_known_values_and_clipped_predictions_however_batches_are_cut():
    generator = np.random.default_rng(0)
    truth = generator.random((4, 2, 3, 3, 2), np.float32)
    prediction = generator.uniform(-0.5, 1.5, truth.shape).astype(np.float32)
    truth[0, :, 0] = np.nan
    truth[:, :, 2] = np.nan
    first = error_map(truth[:1], prediction[:1])
    first.update(truth[1:], prediction[1:])
    np.testing.assert_array_equal(first.result(), error_map(truth, prediction).result())
    expected = np.square(prediction.clip(0, 1) - truth)[1:, :, 0].mean(axis=(0, -1))
    np.testing.assert_allclose(first.result()[:, 0], expected, rtol=1e-6)
    assert np.isnan(first.result()[:, 2]).all()


def test_median_and_ends_are_found_and_undefined_errors_are_neither():
    index, kind = choose_samples(np.array([3.0, np.nan, 1.0, 9.0, 5.0, 7.0]))
    assert index.tolist() == [0, 1, 2, 3, 2, 4, 3]
    assert kind == ["first"] * 4 + ["best", "median", "worst"]


def test_errors_are_clipped_where_scores_are():
    scale = LinearScale("K", 0.0, 1.0, clipped=False, black=0.0, white=10.0)
    errors = ErrorMap(scale)
    errors.update(np.full((1, 1, 2, 2, 1), 10.0), np.full((1, 1, 2, 2, 1), 30.0))
    assert errors.result().tolist() == [[[4.0, 4.0], [4.0, 4.0]]]  # twice the range, squared


def test_stored_values_are_on_the_scale(tmp_path):
    truth = np.full((3, 4, 4, 1), 0.5)
    save_sample(tmp_path, truth, truth[1:] + 1, 1, LinearScale("dBZ", 0, 70))
    with np.load(tmp_path / "values.npz") as values:
        assert values["prediction"].max() == 70
