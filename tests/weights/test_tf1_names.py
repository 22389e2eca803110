import numpy as np
import pytest

import mim_tf
from mim_tf.weights.tf1_names import assign_tf1_weights, tf1_name, tf1_variables
from tests.golden_cases import load_golden


@pytest.mark.parametrize(
    ("network", "path", "name"),
    [
        ("mim", "st_lstm_1/from_hidden/kernel", "predrnn/stlstm_1/time_state_to_state/kernel"),
        ("mim", "st_lstm_1/cell_reduce/bias", "predrnn/stlstm_1/cell_reduce/bias"),
        ("mim", "mim_n_3/from_hidden/norm/shift", "predrnn/stlstm_diff2/state_to_stateb"),
        ("mim", "mim_block_2/from_memory/norm/scale", "predrnn/stlstm_2/spatio_state_to_states"),
        (
            "mim",
            "mim_block_2/mim_s/from_hidden/bias",
            "predrnn/stlstm_2/stlstm_2/state_to_state/bias",
        ),
        ("mim", "mim_block_3/mim_s/peephole_if", "predrnn/stlstm_3/stlstm_3/c_t_weight"),
        ("mim", "to_pixels/kernel", "predrnn/back_to_pixel/kernel"),
        ("mim_star", "causal_lstm_1/from_input/norm/scale", "predrnn_pp/stlstm_1/x2cs"),
        (
            "mim_star",
            "mim_causal_block_2/from_memory/kernel",
            "predrnn_pp/stlstm_2/spatio_state_to_state/kernel",
        ),
        ("mim_star", "mim_causal_block_3/from_memory/norm/shift", "predrnn_pp/stlstm_3/m2mb"),
        (
            "mim_star",
            "mim_causal_block_3/mim_s/from_input/norm/scale",
            "predrnn_pp/stlstm_3/stlstm_3/input_to_states",
        ),
        ("mim_star", "mim_n_2/peephole_o", "predrnn_pp/stlstm_diff1/oc_weight"),
        ("predrnn", "st_lstm_3/from_input/bias", "predrnn/stlstm_3/input_to_state/bias"),
        ("predrnn_pp", "causal_lstm_2/from_cell/kernel", "predrnn_pp/cslstm_2/c2m/kernel"),
        ("predrnn_pp", "causal_lstm_2/from_new_memory/norm/shift", "predrnn_pp/cslstm_2/m_to_ob"),
        (
            "predrnn_pp",
            "gradient_highway/from_hidden/kernel",
            "predrnn_pp/highway/state_to_state/kernel",
        ),
        ("convlstm_net", "conv_lstm_1/from_hidden/norm/scale", "conv_lstm/lstm_1/state_to_states"),
        ("convlstm_net", "conv_lstm_2/peephole_if", "conv_lstm/lstm_2/c_t_weight"),
        ("convlstm_net", "to_pixels/bias", "conv_lstm/back_to_pixel/bias"),
    ],
)
def test_names(network, path, name):
    assert tf1_name(path, network) == name


@pytest.mark.parametrize("folder", ["mim_star", "predrnn", "predrnn_pp", "convlstm"])
def test_names_are_those_of_the_graph(folder):
    golden = load_golden(folder)
    assert set(tf1_variables(mim_tf.build_model(golden.config))) == set(golden.weights)


def test_a_network_of_ones_own_has_no_names_of_2019():
    with pytest.raises(mim_tf.MimError, match=r"mine is no network of the 2019 code.*: mim, "):
        tf1_name("to_pixels/kernel", "mine")


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
