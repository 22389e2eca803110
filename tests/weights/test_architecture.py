import dataclasses

import numpy as np
import pytest

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.weights.hdf5 import check_finite, check_settings, first_difference

HERE = {"a/kernel": (3, 4), "a/bias": (4,)}


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (HERE, ""),
        (HERE | {"a/bias": (5,)}, "a/bias is [5] there, [4] here"),
        ({"a/bias": (5,)}, "a/kernel is missing there, [3, 4] here"),
        (HERE | {"b/kernel": ()}, "b/kernel is [] there, missing here"),
    ],
)
def test_the_first_difference_in_the_order_of_the_model(there, words):
    assert first_difference(there, HERE) == words


def test_settings_of_training_may_differ():
    check_settings("a.h5", ModelConfig(total_length=30, precision="bfloat16"), ModelConfig(), "")


def test_a_setting_of_the_architecture_may_not():
    model = ModelConfig()
    with pytest.raises(
        MimError, match=r"a\.h5 .* its layer_norm is False, the model's is True\. B"
    ):
        check_settings("a.h5", dataclasses.replace(model, layer_norm=False), model, "")
    with pytest.raises(MimError, match=r"its patch_size is 2, .*first weight that differs: x\."):
        check_settings("a.h5", dataclasses.replace(model, patch_size=2), model, "x")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_the_first_weight_that_is_not_finite(value):
    weights = {"a": np.zeros(2), "b": np.array([0, value]), "c": np.array([value])}
    with pytest.raises(MimError, match=r"a\.h5: b has values that are NaN or infinite"):
        check_finite("a.h5", weights)
    check_finite("a.h5", {"updates": np.array(3)})
