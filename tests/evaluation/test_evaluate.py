"""Evaluation of a model with every kind of score, and of a weights file with all it writes."""

import dataclasses
import json

import keras
import numpy as np
import pytest

import mim_tf
from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.data.files.arrays import ArraySource
from mim_tf.data.source import filled
from mim_tf.errors import MimError
from mim_tf.evaluation.errors import to_uint8
from mim_tf.evaluation.stored import read_evaluation
from mim_tf.jobs.evaluate import evaluate, evaluate_weights, identity, scored, trained_on
from mim_tf.values.scale import LinearScale
from mim_tf.weights import save_weights
from tests import grid_files
from tests.models.small_models import small_model
from tests.small_sources import Gappy


@pytest.fixture(scope="module")
def model(tiny_config):
    small = {"model_name": "convlstm_net", "num_hidden": (2,), "filter_size": 1}
    return mim_tf.build_model(dataclasses.replace(tiny_config, **small))


@pytest.fixture(scope="module")
def evaluated(model, tiny_frames):
    """Scores of a tiny network, its forecasts and the samples it showed.

    The last row of every frame is missing. A recording has two sequences.
    """
    frames, samples = tiny_frames.copy(), []
    frames[:, :, -1] = 0
    source = Gappy(frames)
    source.scale, source.thresholds = LinearScale("dBZ", 0, 70), (30.0,)
    source.groups = lambda indices: np.asarray(indices) // 2
    settings = TrainingConfig(batch_size=2, max_test_sequences=0, num_save_samples=3)
    result = evaluate(model, source, settings, lambda *sample: samples.append(sample))
    return result, mim_tf.predict(model, filled(source.sequences(range(5))[:, :3]), 3), samples


def test_all_scores_are_together(evaluated, tiny_frames):
    result, forecast, samples = evaluated
    assert (result["sequences"], result["recordings"]) == (5, 3)
    assert result["groups"].tolist() == [0, 0, 1, 1, 2]
    names = list(result["mean"])
    assert list(result["per_frame"]) == list(result["per_sequence"]) == names
    assert list(result["intervals"]) == names
    assert (result["protocol"], result["input_length"]) == ("mim2019", 3)
    assert {"mse", "ssim_uint8", "mae_dBZ", "rmse_dBZ", "CSI_30", "HSS_30"} <= set(result["mean"])
    assert {len(result["spectra"][name]) for name in ("truth", "prediction")} == {3}
    assert [number for number, _, _ in samples] == [1, 2, 3]
    for number, truth, shown in samples:
        np.testing.assert_array_equal(truth[:, :-1], tiny_frames[number - 1, :, :-1])
        np.testing.assert_allclose(shown, forecast[number - 1], atol=1e-5)


def test_missing_values_do_not_count(evaluated, tiny_frames):
    result, forecast, _ = evaluated
    error = (forecast - tiny_frames[:, 3:])[:, :, :-1]
    assert result["mean"]["mae_dBZ"] == pytest.approx(70 * np.abs(error).mean(), rel=1e-4)
    assert result["mean"]["mae"] == pytest.approx(np.abs(error).sum() / 15, rel=1e-4)


@pytest.mark.parametrize("axis", ["lat", "2-D", "y"])
def test_pictures_have_the_north_at_the_top_and_values_the_rows_of_the_file(tmp_path, axis):
    made, found = [], []
    for name, sign in (("north", 1), ("south", -1)):
        fields = grid_files.dataset(24).isel(lat=slice(None, None, sign))[["t2m"]]
        if axis == "2-D":  # as a file of RADOLAN has them
            latitudes = ("rows", "columns"), np.tile(fields.lat.values[:, None], (1, 8))
            fields = fields.drop_vars(["lat", "lon"]).rename(lat="rows", lon="columns")
            fields = fields.assign_coords(latitudes=latitudes)
        if axis == "y":
            fields = fields.drop_vars("lat").rename(lat="y", lon="x")
            meters = {"standard_name": "projection_y_coordinate", "units": "m"}
            fields = fields.assign_coords(y=("y", 1e3 * np.arange(6)[::-sign], meters))
        path = grid_files.write(tmp_path / f"{name}.nc", fields)
        source = mim_tf.open_source(
            DataConfig("grid", path, scale="minmax", valid_fraction=0.2, test_fraction=0.2),
            ModelConfig(img_height=6, img_width=8, patch_size=1, input_length=2, total_length=4),
            "test",
        )
        folder, settings = tmp_path / name, TrainingConfig(batch_size=2, num_save_samples=1)
        result = scored(lambda frames, _: frames[:, [1, 1]], source, 2, settings, folder=folder)
        made.append(result["samples"])
        found.append(np.load(folder / "1" / "values.npz"))
        assert source.south_first == (sign < 0)
    for name, part in made[0].items():
        np.testing.assert_array_equal(part, made[1][name], name)
    for name in ("gt2.png", "pd3.png", "truth_and_prediction.gif"):
        north, south = ((tmp_path / part / "1" / name).read_bytes() for part in ("north", "south"))
        assert north == south
    for name in ("truth", "prediction"):
        np.testing.assert_array_equal(found[0][name], found[1][name][:, ::-1])


def test_baselines_have_the_same_scores(evaluated, tiny_frames):
    result, _, _ = evaluated
    names = ["persistence", "context_mean", "optical_flow"]
    assert list(result["baselines"])[:3] == names  # S-PROG only with pysteps
    for part in result["baselines"].values():
        assert list(part["mean"]) == list(part["per_frame"]) == list(result["mean"])
    error = np.square(tiny_frames[:, 2:3] - tiny_frames[:, 3:])[:, :, :-1]
    mean = result["baselines"]["persistence"]["mean"]
    assert mean["mse"] == pytest.approx(error.sum() / 15, rel=1e-5)


def test_the_sequences_that_a_report_shows_are_there(evaluated, tiny_frames):
    result, forecast, _ = evaluated
    samples, errors = result["samples"], result["per_sequence"]["mse"]
    order = np.argsort(errors)
    assert samples["kind"].tolist() == ["first"] * 4 + ["best", "median", "worst"]
    index = samples["index"]
    assert index.tolist() == [0, 1, 2, 3, order[0], order[2], order[4]]
    shown = samples["truth"][:, :, :-1]
    np.testing.assert_array_equal(shown, to_uint8(tiny_frames[index])[:, :, :-1])
    assert samples["missing"].sum(axis=(0, 1, 3, 4)).tolist() == [0] * 31 + [7 * 6 * 32]
    # Batches of another size differ in rounding, which can change a level by one.
    difference = samples["forecast"].astype(int) - to_uint8(forecast[index])
    assert np.abs(difference).max() <= 1


@pytest.mark.slow
def test_an_evaluation_can_be_read_back(tmp_path, model, tiny_frames):
    weights, train, test = (str(tmp_path / name) for name in ("a.h5", "train.npy", "test.npy"))
    save_weights(model, weights)
    np.save(train, tiny_frames[:1])
    np.save(test, tiny_frames)
    sizes = {"batch_size": 4, "max_test_sequences": 0, "num_save_samples": 1}
    training = TrainingConfig(protocol="openstl", gen_frm_dir=str(tmp_path / "out"), **sizes)
    data = DataConfig(train_data_paths=train, valid_data_paths=test)
    text, folder = evaluate_weights(model, data, training, weights)
    assert text.splitlines()[-1].startswith("The model ")
    assert folder == tmp_path / "out" / "test-001"
    assert {path.name for path in folder.iterdir()} == {
        *("1", "report.html", "run.json", "scores.json", "scores.csv"),
        *("per_sequence.csv", "resamples.npz", "samples.npz"),
    }
    evaluation = read_evaluation(folder)
    assert evaluation.scores["protocol"] == "openstl"
    assert evaluation.scores["data"]["source"] == "array"
    forecast = mim_tf.predict(model, tiny_frames[:, :3], 3)
    errors = np.square(forecast - tiny_frames[:, 3:]).sum(axis=(2, 3, 4)).mean(axis=1)
    np.testing.assert_allclose(evaluation.per_sequence["mse"], errors, rtol=1e-4)
    assert evaluation.scores["mean"]["mse"] == pytest.approx(errors.mean(), rel=1e-4)
    with np.load(folder / "samples.npz") as samples:
        shapes = [samples[name].shape for name in ("truth", "forecast", "error_map")]
    assert shapes == [(7, 6, 32, 32, 1), (7, 3, 32, 32, 1), (3, 32, 32)]


@pytest.mark.parametrize(
    ("expected", "size", "sentence"),
    [
        ("abc", 64, "These are the 64 sequences of --test_sha256."),
        ("def", 100, "Scored were 64 of 100 sequences"),
        ("def", 64, "These are NOT the sequences of --test_sha256: expected def, got abc."),
    ],
)
def test_whether_the_sequences_are_those_that_were_meant(expected, size, sentence):
    result = {"sequences": 64, "data": {"sha256": "abc", "digits_origin": "bundled"}}
    assert identity(result, size, expected).startswith(sentence)


def half(context, horizon):
    return np.repeat(context[:, -1:] / 2, horizon, axis=1)


def keras_model(shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.ops.repeat(inputs[:, -1:] / 2, 3, axis=1))


@pytest.mark.parametrize("kind", ["function", "keras"])
def test_any_forecast_is_scored_alike(kind, tiny_frames, tmp_path):
    is_keras = kind == "keras"
    forecast = keras_model((3, *tiny_frames.shape[2:])) if is_keras else half
    settings = {} if is_keras else {"input_length": 3}
    config = TrainingConfig(protocol="per_pixel", max_test_sequences=0, num_save_samples=1)
    result = mim_tf.evaluate(forecast, tiny_frames, config, folder=tmp_path / "a", **settings)
    error = tiny_frames[:, 2:3] / 2 - tiny_frames[:, 3:]
    assert result["mean"]["mse"] == pytest.approx(np.square(error).mean(), rel=1e-5)
    assert result["mean"]["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    persistence = np.square(tiny_frames[:, 2:3] - tiny_frames[:, 3:]).mean()
    assert result["baselines"]["persistence"]["mean"]["mse"] == pytest.approx(persistence, rel=1e-5)
    assert read_evaluation(tmp_path / "a").scores["sequences"] == len(tiny_frames)
    assert (tmp_path / "a" / "1" / "gt1.png").exists()


def test_a_network_may_get_another_context_than_in_training(model, tiny_frames):
    result = mim_tf.evaluate(model, tiny_frames, input_length=2)
    forecast = np.clip(mim_tf.predict(model, tiny_frames[:, :2], 4), 0, 1)
    errors = np.square(forecast - tiny_frames[:, 2:]).sum((2, 3, 4)).mean(0)
    assert result["input_length"] == 2
    np.testing.assert_allclose(result["per_frame"]["mse"], errors, rtol=1e-5)
    with pytest.raises(MimError, match="input_length"):
        mim_tf.evaluate(model, tiny_frames[:, :3])


@pytest.mark.parametrize(
    ("forecast", "settings", "words"),
    [
        (half, {}, "Expected an input_length from 1 to 5"),
        (half, {"input_length": 6}, "got 6"),
        (lambda context, horizon: context, {"input_length": 2}, r"\[5, 4, 32, 32, 1\].*got \[5, 2"),
        (lambda c, n: half(c, n) * np.nan, {"input_length": 2}, "Expected finite predictions"),
        (lambda c, n: np.ma.masked_less(half(c, n), 0.2), {"input_length": 2}, "Expected finite"),
        (lambda c, n: np.uint8(255 * half(c, n)), {"input_length": 2}, "uint8"),
    ],
)
def test_forecasts_that_cannot_be_scored(forecast, settings, words, tiny_frames):
    with pytest.raises(MimError, match=words):
        mim_tf.evaluate(forecast, tiny_frames, **settings)


@pytest.mark.parametrize("source", [np.zeros((2, 6, 8, 8)).tolist(), "a.npy", None])
def test_other_sources_are_refused(source):
    with pytest.raises(MimError, match="or a NumPy array, got"):
        mim_tf.evaluate(half, source, input_length=2)


def test_a_forecast_in_another_unit_is_noticed(tiny_frames, caplog):
    mim_tf.evaluate(half, tiny_frames, input_length=2)
    assert "[0, 1]" not in caplog.text
    mim_tf.evaluate(lambda c, n: 255 * half(c, n), tiny_frames, input_length=2)
    assert "Expected a forecast in [0, 1]" in caplog.text


def test_a_foreign_model_does_not_predict():
    with pytest.raises(MimError, match=r"VideoPredictor.*got Functional.*mim_tf\.evaluate"):
        mim_tf.predict(keras_model((3, 8, 8, 1)), np.zeros((1, 3, 8, 8, 1)), 3)


def test_recordings_that_were_trained_on_are_named(in_tmp, monkeypatch):
    """Such as after videos were added to the folder of the training, which is divided anew."""
    np.save("a.npy", np.zeros((7, 20, 8, 8), np.uint8))
    np.save("b.npy", np.zeros((1, 20, 8, 8), np.uint8))
    config = mim_tf.ModelConfig(img_width=8, input_length=2, total_length=4, patch_size=1)
    weights = in_tmp / "run" / "a.weights.h5"

    def described(path, split, **settings):
        data = DataConfig("array", path, **settings)
        return mim_tf.open_source(data, config, split).describe()

    def train(*source):
        weights.parent.mkdir(exist_ok=True)
        weights.touch()
        record = {"command": ["mim"], "started": "", "backend": "", "training": {"seed": 0}}
        record |= {"model": {"model_name": ""}, "data": {}, "versions": {}}
        record |= {"sources": {"train": described(*source)}, "folder": str(in_tmp)}
        (weights.parent / "run.json").write_text(json.dumps(record))

    train("a.npy", "train")
    assert trained_on(weights, described("a.npy", "test")) == []
    assert len(trained_on(weights, described(str(in_tmp / "a.npy"), "all"))) == 5
    assert trained_on(weights, described("a.npy", "test", data_seed=1)) != []
    monkeypatch.chdir(in_tmp / "run")
    assert len(trained_on(weights, described("../a.npy", "all"))) == 5
    monkeypatch.chdir(in_tmp)
    train("b.npy", "train")
    shares = {"valid_fraction": 0.3, "test_fraction": 0.3}
    assert trained_on(weights, described("b.npy", "test", **shares)) == []
    assert trained_on(weights, described("b.npy", "all")) == ["b.npy[0]"]


def test_a_function_may_write_into_its_context():
    frames = np.random.default_rng(0).random((4, 5, 32, 32, 1), np.float32)

    def erase(context, horizon):
        context[...] = 0
        return np.zeros((len(context), horizon, *context.shape[2:]), np.float32)

    found = evaluate(erase, frames, input_length=2)["baselines"]["persistence"]["mean"]["mae"]
    right = np.abs(frames[:, 2:] - frames[:, 1:2]).sum(axis=(2, 3, 4)).mean()
    assert found == pytest.approx(right, rel=1e-4)


def test_frames_on_another_scale_than_that_of_the_weights_are_told(caplog):
    scale = LinearScale("K", 200.0, 300.0, False, 200.0, 300.0)
    model = small_model(scale=scale)
    height, width, channels = model.config.frame_shape
    source = ArraySource(
        np.random.default_rng(0).random((2, 5, height, width, channels), np.float32)
    )
    source.scale = LinearScale("K", 270.0, 300.0, False, 270.0, 300.0)
    evaluate(model, source)
    assert "on the scale of the weights" in caplog.text
