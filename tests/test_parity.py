"""The numbers of the 2019 graphs."""

import numpy as np
import pytest
from golden_cases import load_golden

import mim_tf
from mim_tf.training.compile import compile_for_training
from mim_tf.weights.tf1_names import assign_tf1_weights

CASES = ["mim", "mim_no_layer_norm", "mim_star", "predrnn", "predrnn_pp", "convlstm"]


@pytest.fixture(scope="module", params=CASES)
def golden(request):
    return load_golden(request.param)


@pytest.fixture(scope="module")
def model(golden):
    model = mim_tf.build_model(golden.config)
    assign_tf1_weights(model, golden.weights)
    return model


def forecast(model, frames):
    config = model.config
    return mim_tf.predict(model, frames[:, : config.input_length], config.horizon)


def test_predictions(golden, model):
    expected = golden.arrays["pred_before"]
    np.testing.assert_allclose(forecast(model, golden.arrays["frames"][0]), expected, atol=1e-4)


def test_predictions_with_flags(golden, model):
    frames, flags = golden.arrays["frames"][0], golden.arrays["flags"][0]
    predictions = model({"frames": frames, "flags": flags})
    np.testing.assert_allclose(
        predictions[:, -golden.config.horizon :],
        golden.arrays["pred_before_with_flags"],
        atol=1e-4,
    )


def test_three_updates(golden, model):
    """Last of the file: it changes the weights."""
    compile_for_training(model, learning_rate=1e-3)
    losses = []
    for frames, flags in zip(golden.arrays["frames"][1:], golden.arrays["flags"][1:], strict=True):
        model.reset_metrics()
        logs = model.train_on_batch(
            {"frames": frames, "flags": flags}, frames[:, 1:], return_dict=True
        )
        losses.append(logs["loss_per_sequence"])
    np.testing.assert_allclose(losses, golden.arrays["train_losses"], rtol=1e-4)
    after = forecast(model, golden.arrays["frames"][0])
    np.testing.assert_allclose(after, golden.arrays["pred_after"], atol=5e-3)
