import numpy as np
import pytest

from mim_tf.data.files.arrays import ArraySource
from mim_tf.evaluation.baselines import baselines_for, context_mean, persistence, verdict
from mim_tf.values.scale import LinearScale


def context():
    return np.random.default_rng(0).random((2, 3, 4, 5, 1), np.float32)


def test_persistence_copies_the_last_frame():
    forecast = persistence(context(), 4)
    assert forecast.shape == (2, 4, 4, 5, 1)
    for frame in range(4):
        np.testing.assert_array_equal(forecast[:, frame], context()[:, 2])


def test_context_mean_is_that_of_each_pixel():
    forecast = context_mean(context(), 4)
    expected = context()[1, :, 2, 3, 0].mean()
    assert forecast[1, :, 2, 3, 0] == pytest.approx([expected] * 4)


def test_fields_are_extrapolated_as_well():
    source = ArraySource(np.zeros((1, 4, 8, 8, 1), np.uint8))
    assert list(baselines_for(source)) == ["persistence", "context_mean"]
    source.scale = LinearScale("dBZ", 0, 70)
    assert list(baselines_for(source)) == ["persistence", "context_mean", "optical_flow"]


def result(model, **baselines):
    parts = {name: {"mean": {"mse": mse, "psnr": -mse}} for name, mse in baselines.items()}
    return {"mean": {"mse": model, "psnr": model and -model}, "baselines": parts}


def test_the_verdict_names_what_is_beaten_and_what_is_not():
    assert verdict(result(10, persistence=80.25, context_mean=60)) == (
        "The model beats persistence (80.25) and the mean of the context (60): its MSE is 10."
    )
    assert verdict(result(70, persistence=80, context_mean=60)) == (
        "The model does NOT beat the mean of the context (60): its MSE is 70."
    )
    assert "NOT beat persistence (5), the mean of the context (6) and extrapolation" in verdict(
        result(10, persistence=5, context_mean=6, optical_flow=10)
    )
    assert verdict(result(10, persistence=80), "psnr").startswith("The model beats persistence")


def test_an_undefined_score_beats_nothing():
    assert verdict(result(None, persistence=80)) == (
        "The model does NOT beat persistence (80): its MSE is undefined."
    )
