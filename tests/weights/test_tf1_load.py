import numpy as np
import pytest

import mim_tf
from mim_tf.errors import MimError
from mim_tf.weights.tf1 import load_tf1
from tests.golden_cases import load_golden
from tests.tf1_checkpoints import write_checkpoint


@pytest.fixture(scope="module")
def golden():
    return load_golden("convlstm")


@pytest.fixture(scope="module")
def model(golden):
    return mim_tf.build_model(golden.config)


@pytest.fixture
def unchanged(model):
    """Checks that the weights of the model are afterwards what they were."""
    before = [np.array(weight.numpy()) for weight in model.weights]
    yield
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_weights_and_averages(golden, model, tmp_path):
    averages = {f"{n}/ExponentialMovingAverage": a + 1 for n, a in golden.weights.items()}
    prefix = write_checkpoint(tmp_path / "c", golden.weights | averages)
    kernel = golden.weights["conv_lstm/lstm_2/state_to_state/kernel"]
    for use_ema in (False, True):
        load_tf1(model, prefix, use_ema)
        path = "conv_lstm_2/from_hidden/kernel"
        loaded = next(weight for weight in model.weights if weight.path == path)
        np.testing.assert_array_equal(loaded, kernel + use_ema)


@pytest.mark.usefixtures("unchanged")
def test_names_left_over_on_either_side_are_all_listed(golden, model, tmp_path):
    weights = golden.weights
    weights["conv_lstm/more"] = weights.pop("conv_lstm/lstm_2/oc_weight")
    weights["conv_lstm/other"] = weights.pop("conv_lstm/lstm_3/oc_weight")
    words = (
        r"/c: .* not found: conv_lstm/lstm_2/oc_weight, conv_lstm/lstm_3/oc_weight\. "
        r"Found but not expected: conv_lstm/more, conv_lstm/other\."
    )
    with pytest.raises(MimError, match=words):
        load_tf1(model, write_checkpoint(tmp_path / "c", weights))


@pytest.mark.usefixtures("unchanged")
def test_averages_of_some_weights_only(golden, model, tmp_path):
    name = "conv_lstm/back_to_pixel/kernel"
    averages = {f"{n}/ExponentialMovingAverage": a for n, a in golden.weights.items()}
    del averages["conv_lstm/lstm_1/input_to_state/bias/ExponentialMovingAverage"]
    prefix = write_checkpoint(tmp_path / "c", {name: golden.weights[name]} | averages)
    with pytest.raises(MimError, match="not found: conv_lstm/lstm_1/input_to_state/bias"):
        load_tf1(model, prefix, use_ema=True)


@pytest.mark.usefixtures("unchanged")
def test_a_weight_of_another_shape(golden, model, tmp_path):
    weights = golden.weights | {"conv_lstm/lstm_2/oc_weight": np.zeros((8, 4), np.float32)}
    with pytest.raises(MimError, match=r"lstm_2/oc_weight: expected shape \(8, 8, 4\), received"):
        load_tf1(model, write_checkpoint(tmp_path / "c", weights))


@pytest.mark.usefixtures("unchanged")
def test_weights_that_are_not_finite(golden, model, tmp_path):
    weights = golden.weights
    weights["conv_lstm/lstm_2/oc_weight"][3, 2, 1] = np.nan
    with pytest.raises(MimError, match=r"/c: conv_lstm/lstm_2/oc_weight has values that are NaN"):
        load_tf1(model, write_checkpoint(tmp_path / "c", weights))
