"""Evaluation of a model, with every kind of score."""

import dataclasses

import numpy as np
import pytest

import mim_tf
from mim_tf.data.files.arrays import ArraySource
from mim_tf.data.source import filled
from mim_tf.evaluation.errors import to_uint8
from mim_tf.jobs.evaluate import evaluate
from mim_tf.values.scale import LinearScale

SCALE = LinearScale("dBZ", 0, 70)


class Radar(ArraySource):
    """The last row of every frame is missing."""

    scale = SCALE
    thresholds = (30.0,)
    has_missing = True

    def sequences(self, indices):
        frames = np.array(super().sequences(indices))
        frames[:, :, -1] = np.nan
        return frames


@pytest.fixture(scope="module")
def evaluated(tiny_config, tiny_frames):
    """Scores of a tiny network, its forecasts and the samples it showed."""
    model = mim_tf.build_model(dataclasses.replace(tiny_config, num_hidden=(2,)))
    source, samples = Radar(tiny_frames), []
    settings = mim_tf.TrainingConfig(batch_size=2, max_test_sequences=0, num_save_samples=3)
    result = evaluate(model, source, settings, lambda *sample: samples.append(sample))
    return result, mim_tf.predict(model, filled(source.sequences(range(5))[:, :3]), 3), samples


def test_all_scores_are_together(evaluated):
    result, _, _ = evaluated
    assert result["sequences"] == 5
    names = list(result["mean"])
    assert list(result["per_frame"]) == list(result["per_sequence"]) == names
    assert list(result["intervals"]) == names
    assert (result["protocol"], result["input_length"]) == ("mim2019", 3)
    assert {"mse", "ssim_uint8", "mae_dBZ", "rmse_dBZ", "CSI_30", "HSS_30"} <= set(result["mean"])
    assert {len(result["spectra"][name]) for name in ("truth", "prediction")} == {3}


def test_missing_values_do_not_count(evaluated, tiny_frames):
    result, forecast, _ = evaluated
    error = (forecast - tiny_frames[:, 3:])[:, :, :-1]
    assert result["mean"]["mae_dBZ"] == pytest.approx(70 * np.abs(error).mean(), rel=1e-4)
    assert result["mean"]["mae"] == pytest.approx(np.abs(error).sum() / 15, rel=1e-4)


def test_samples_are_the_first_sequences(evaluated, tiny_frames):
    _, forecast, samples = evaluated
    assert [number for number, _, _ in samples] == [1, 2, 3]
    for number, truth, shown in samples:
        np.testing.assert_array_equal(truth[:, :-1], tiny_frames[number - 1, :, :-1])
        assert np.isnan(truth[:, -1]).all()
        np.testing.assert_allclose(shown, forecast[number - 1], atol=1e-5)


def test_baselines_have_the_same_scores(evaluated, tiny_frames):
    result, _, _ = evaluated
    assert list(result["baselines"]) == ["persistence", "context_mean", "optical_flow"]
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
    assert samples["index"].tolist() == [0, 1, 2, 3, order[0], order[2], order[4]]
    index = samples["index"]
    shown = samples["truth"][:, :, :-1]
    np.testing.assert_array_equal(shown, to_uint8(tiny_frames[index])[:, :, :-1])
    assert samples["missing"].sum(axis=(0, 1, 3, 4)).tolist() == [0] * 31 + [7 * 6 * 32]
    # Batches of another size differ in rounding, which can change a level by one.
    difference = samples["forecast"].astype(int) - to_uint8(forecast[index])
    assert samples["forecast"].shape == (7, 3, 32, 32, 1)
    assert np.abs(difference).max() <= 1


def test_the_error_map_is_the_mean_over_sequences(evaluated, tiny_frames):
    result, forecast, _ = evaluated
    error = np.square(forecast.clip(0, 1) - tiny_frames[:, 3:])[..., 0].mean(axis=0)
    error_map = result["samples"]["error_map"]
    assert error_map.dtype == np.float32
    np.testing.assert_allclose(error_map[:, :-1], error[:, :-1], rtol=1e-4)
    assert np.isnan(error_map[:, -1]).all()
