"""Evaluation of a model, with every kind of score."""

import dataclasses

import numpy as np
import pytest

import mim_tf
from mim_tf.data.files.arrays import ArraySource
from mim_tf.data.scale import LinearScale
from mim_tf.evaluation.evaluate import evaluate

SCALE = LinearScale("dBZ", 0, 70)


class Radar(ArraySource):
    """The last row of every frame is missing."""

    scale = SCALE
    thresholds = (30.0,)
    has_missing = True

    def sequences(self, indices):
        return super().sequences(indices) * ~self.missing(indices)

    def missing(self, indices):
        mask = super().missing(indices)
        mask[:, :, -1] = True
        return mask


@pytest.fixture(scope="module")
def evaluated(tiny_config, tiny_frames):
    """Scores of a tiny network, its forecasts and the samples it showed."""
    model = mim_tf.build_model(dataclasses.replace(tiny_config, num_hidden=(2,)))
    source, samples = Radar(tiny_frames), []
    settings = mim_tf.TrainingConfig(batch_size=2, max_test_sequences=0, num_save_samples=3)
    result = evaluate(model, source, settings, lambda *sample: samples.append(sample))
    return result, mim_tf.predict(model, source.sequences(range(5))[:, :3], 3), samples


def test_all_scores_are_together(evaluated):
    result, _, _ = evaluated
    assert result["sequences"] == 5
    assert list(result["mean"]) == list(result["per_frame"])
    assert {"mse", "ssim_uint8", "mae_dBZ", "rmse_dBZ", "CSI_30", "HSS_30"} <= set(result["mean"])


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
        np.testing.assert_allclose(shown, forecast[number - 1], atol=1e-5)
