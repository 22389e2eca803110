import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import mim_tf
from mim_tf.errors import MimError
from mim_tf.jobs.convert import convert
from mim_tf.weights import load_weights, stored_config
from tests.golden_cases import load_golden
from tests.tf1_checkpoints import golden_checkpoint, write_checkpoint

STEADY = ["mim", "mim_no_layer_norm", "predrnn", "convlstm"]
SENSITIVE = ["mim_star", "predrnn_pp"]  # They magnify rounding: see test_parity.py.
LENGTHS = {"input_length": 4, "total_length": 8}


def hints(case):
    width = {"img_width": 16} if case in ("predrnn", "predrnn_pp") else {}
    return {"patch_size": 2} | LENGTHS | width


@pytest.mark.slow
@pytest.mark.parametrize("case", STEADY + SENSITIVE)
def test_networks_of_2019_predict_what_they_predicted(tmp_path, case):
    golden = load_golden(case)
    model = convert(golden_checkpoint(case), tmp_path / "a.h5", **hints(case))
    for weight in model.weights:
        weight.assign(weight * 0)
    load_weights(model, tmp_path / "a.h5")
    assert stored_config(tmp_path / "a.h5") == model.config == golden.config
    forecast = model(golden.arrays["frames"][0])[:, -golden.config.horizon :]
    tolerance = 1e-5 if case in STEADY else 1e-3
    np.testing.assert_allclose(forecast, golden.arrays["pred_after"], rtol=0, atol=tolerance)


def test_averages(tmp_path):
    prefix = golden_checkpoint("convlstm")
    model = convert(prefix, tmp_path / "a.h5", use_ema=True, patch_size=2)
    kernels = {weight.path: weight.numpy() for weight in model.weights}
    name = "conv_lstm/lstm_2/state_to_state/kernel"
    average = tf.train.load_variable(str(prefix), f"{name}/ExponentialMovingAverage")
    np.testing.assert_array_equal(kernels["conv_lstm_2/from_hidden/kernel"], average)
    assert not np.array_equal(average, tf.train.load_variable(str(prefix), name))


def test_what_is_not_known_has_its_default(tmp_path):
    config = convert(golden_checkpoint("convlstm"), tmp_path / "a.h5", img_channel=1).config
    defaults = dataclasses.asdict(mim_tf.ModelConfig())
    changed = {name for name, value in vars(config).items() if value != defaults[name]}
    read = {"model_name", "num_hidden", "img_width", "img_height", "patch_size"}
    assert changed == read


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "a.h5").write_text("precious")
    with pytest.raises(MimError, match=r"a\.h5 exists already"):
        convert(golden_checkpoint("mim"), tmp_path / "a.h5", patch_size=2)
    assert (tmp_path / "a.h5").read_text() == "precious"


@pytest.mark.parametrize(
    ("output", "changes", "words"),
    [
        ("a.ckpt", {}, r"a name that ends in \.h5, received .*a\.ckpt"),
        ("a.h5", {"patch_size": None}, r"4 channels, which is patch_size\^2 \* img_channel"),
        ("a.h5", {"img_width": 32}, "its img_width is 16, the model's is 32"),
        ("a.h5", {"input_length": 20}, "total_length"),
        ("a.h5/b.h5/c.h5", {}, r"c\.h5 cannot be written"),
    ],
)
def test_what_ends_in_an_error_writes_nothing(tmp_path, output, changes, words):
    known = {k: v for k, v in (hints("convlstm") | changes).items() if v is not None}
    folder = tmp_path / "results"
    folder.mkdir()
    if output.count("/"):
        (folder / "a.h5").touch()
    before = sorted(folder.iterdir())
    with pytest.raises(MimError, match=words):
        convert(golden_checkpoint("convlstm"), folder / output, **known)
    assert sorted(folder.iterdir()) == before


def test_names_left_over_write_nothing(tmp_path):
    weights = load_golden("convlstm").weights | {"conv_lstm/more": np.zeros(3, np.float32)}
    prefix = write_checkpoint(tmp_path / "c", weights)
    with pytest.raises(MimError, match="Found but not expected: conv_lstm/more"):
        convert(prefix, tmp_path / "a.h5", patch_size=2)
    assert not (tmp_path / "a.h5").exists()
