import numpy as np
import pytest
from golden_cases import load_golden

import mim_tf
from mim_tf.weights.tf1_names import assign_tf1_weights, tf1_name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("st_lstm_1/from_hidden/kernel", "predrnn/stlstm_1/time_state_to_state/kernel"),
        ("st_lstm_1/cell_reduce/bias", "predrnn/stlstm_1/cell_reduce/bias"),
        ("mim_n_3/from_hidden/norm/shift", "predrnn/stlstm_diff2/state_to_stateb"),
        ("mim_block_2/from_memory/norm/scale", "predrnn/stlstm_2/spatio_state_to_states"),
        ("mim_block_2/mim_s/from_hidden/bias", "predrnn/stlstm_2/stlstm_2/state_to_state/bias"),
        ("mim_block_3/mim_s/peephole_if", "predrnn/stlstm_3/stlstm_3/c_t_weight"),
        ("to_pixels/kernel", "predrnn/back_to_pixel/kernel"),
    ],
)
def test_names(path, name):
    assert tf1_name(path) == name


def test_names_left_over_on_either_side_are_listed():
    golden = load_golden("mim")
    weights = golden.weights
    weights["predrnn/extra"] = weights.pop("predrnn/back_to_pixel/bias")
    with pytest.raises(
        mim_tf.MimError, match=r"not found: predrnn/back_to_pixel/bias\..*expected: predrnn/extra"
    ):
        assign_tf1_weights(mim_tf.build_model(golden.config), weights)


def test_a_wrong_shape_changes_nothing():
    golden = load_golden("mim")
    model = mim_tf.build_model(golden.config)
    before = [weight.numpy() for weight in model.weights]
    weights = golden.weights | {"predrnn/back_to_pixel/bias": np.zeros(3)}
    with pytest.raises(mim_tf.MimError, match=r"expected shape \(4,\), received \(3,\)"):
        assign_tf1_weights(model, weights)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)
