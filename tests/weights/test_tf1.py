"""Checkpoints of the 2019 code: names, architecture, values, and what is refused."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import mim_tf
from mim_tf.errors import MimError
from mim_tf.jobs.convert import convert
from mim_tf.weights import load_weights, stored_config
from mim_tf.weights.by_name import is_checkpoint
from mim_tf.weights.tf1 import infer_config, read_checkpoint
from mim_tf.weights.tf1_names import assign_tf1_weights
from tests.golden_cases import golden_checkpoint, load_golden

FILES = [".index", ".meta", ".data-00000-of-00001"]
W = np.arange(6, dtype=np.float32).reshape(2, 3)
CASES = {  # model_name, num_hidden, filter_size, layer_norm, img_channel
    "mim": ("mim", (4, 4, 4), 5, True, 1),
    "mim_no_layer_norm": ("mim", (4, 4, 4, 4), 3, False, 2),
    "mim_star": ("mim_star", (4, 4, 4), 5, True, 1),
    "predrnn": ("predrnn", (4, 4, 4), 5, True, 1),
    "predrnn_pp": ("predrnn_pp", (4, 4, 4), 5, True, 1),
    "convlstm": ("convlstm_net", (4, 4, 4), 5, True, 1),
}
NO_PEEPHOLES = ("predrnn", "predrnn_pp")
PIXELS = "predrnn/back_to_pixel/kernel"


def write_checkpoint(prefix, arrays):
    """Writes name -> array in the format of TensorFlow 1's saver; returns the prefix."""
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=list(arrays.values()),
    )
    return prefix


def hints(case):
    width = {"img_width": 16} if case in NO_PEEPHOLES else {}
    return {"patch_size": 2, "input_length": 4, "total_length": 8} | width


@pytest.fixture(scope="module")
def shapes():
    """Case -> name -> shape."""
    return {
        case: {name: array.shape for name, array in load_golden(case).weights.items()}
        for case in CASES
    }


@pytest.fixture
def copied(tmp_path):
    """Prefix of a copy of a golden checkpoint."""
    for suffix in (".index", ".data-00000-of-00001"):
        shutil.copy(f"{golden_checkpoint('convlstm')}{suffix}", tmp_path / f"model.ckpt-3{suffix}")
    return tmp_path / "model.ckpt-3"


# Architecture


@pytest.mark.parametrize("case", CASES)
def test_the_architecture_of_every_network_of_2019(shapes, case):
    known = {"img_width": 16} if case in NO_PEEPHOLES else {}
    config = infer_config(shapes[case], patch_size=2, **known)
    *settings, channels = CASES[case]
    fields = "model_name", "num_hidden", "filter_size", "layer_norm"
    assert [getattr(config, field) for field in fields] == settings
    assert (config.frame_shape, config.patch_size) == ((16, 16, channels), 2)
    ends = ("states", "stateb", "cs", "cb", "ms", "mb", "os", "ob")
    bare = {name: shape for name, shape in shapes[case].items() if not name.endswith(ends)}
    assert not infer_config(bare, patch_size=2, img_width=16).layer_norm


@pytest.mark.parametrize(
    ("depth", "known", "expected"),
    [
        (16, {"patch_size": 4}, (4, 1)),
        (16, {"patch_size": 2}, (2, 4)),
        (16, {"img_channel": 1}, (4, 1)),
        (16, {"img_channel": 16, "patch_size": 1}, (1, 16)),
        (12, {"img_channel": 3}, (2, 3)),
        (1, {}, (1, 1)),
        (6, {}, (1, 6)),
        (16, {}, None),
        (16, {"patch_size": 3}, None),
        (16, {"img_channel": 3}, None),
        (16, {"img_channel": 1, "patch_size": 2}, None),
    ],
)
def test_patch_size_and_channels_share_a_product(shapes, depth, known, expected):
    with_depth = shapes["mim"] | {PIXELS: (1, 1, 4, depth)}
    if expected is None:
        with pytest.raises(MimError, match=r"1\^2 \* 16, 2\^2 \* 4, 4\^2 \* 1.*patch_size"):
            infer_config(with_depth, **known)
        return
    config = infer_config(with_depth, **known)
    assert (config.patch_size, config.img_channel) == expected
    assert config.frame_shape[:2] == (8 * expected[0], 8 * expected[0])


def test_frame_sizes(shapes):
    wide = {
        name: (3, 5, shape[2]) if name.endswith(("c_t_weight", "oc_weight")) else shape
        for name, shape in shapes["mim"].items()
    }
    config = infer_config(wide, patch_size=2)
    assert (config.img_height, config.img_width) == (6, 10)
    for case in NO_PEEPHOLES:
        with pytest.raises(MimError, match="img_width"):
            infer_config(shapes[case], patch_size=2)
        assert infer_config(shapes[case], patch_size=2, img_width=20, img_height=12).grid == (6, 10)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({PIXELS: None}, PIXELS),
        ({PIXELS: (4, 4)}, PIXELS),
        ({"predrnn/stlstm_2/time_state_to_state/kernel": None}, "stlstm_2/time_state_to_state/k"),
        ({"predrnn/stlstm_2/stlstm_2/oc_weight": (4,)}, "stlstm_2/oc_weight"),
        ({"predrnn/stlstm_2/time_state_to_state/kernel": (5, 5, 8, 24)}, "num_hidden"),
        ({"predrnn/stlstm_1/time_state_to_state/kernel": (4, 4, 4, 16)}, "filter_size"),
        ("predrnn/stlstm_2", "stlstm_2/time_state_to_state/kernel"),
        ("", "predrnn/stlstm_1/"),
    ],
)
def test_weights_that_are_incomplete_or_of_no_network(shapes, changes, words):
    if isinstance(changes, str):
        changes = {name: None for name in shapes["mim"] if name.startswith(changes)}
    changed = {n: s for n, s in (shapes["mim"] | changes).items() if s is not None}
    with pytest.raises(MimError, match=words):
        infer_config(changed, patch_size=2)


# Values


@pytest.mark.parametrize("case", ["mim", "predrnn_pp"])
def test_weights_and_averages_are_the_values_in_the_checkpoint(case):
    prefix = golden_checkpoint(case)
    raw, averages = (read_checkpoint(prefix, use_ema).weights for use_ema in (False, True))
    assert raw.keys() == averages.keys() == load_golden(case).weights.keys()
    for name in raw:
        np.testing.assert_array_equal(raw[name], tf.train.load_variable(str(prefix), name))
        stored = tf.train.load_variable(str(prefix), f"{name}/ExponentialMovingAverage")
        np.testing.assert_array_equal(averages[name], stored)
        assert not np.array_equal(raw[name], averages[name])


def test_any_file_of_a_checkpoint_names_it(copied, tmp_path):
    (tmp_path / "a.h5").write_text("")
    (tmp_path / "a.h5.index").write_text("")
    for suffix in ("", *FILES):
        assert is_checkpoint(f"{copied}{suffix}")
        assert read_checkpoint(f"{copied}{suffix}").path == copied
    for name in ("a.h5", "b", "."):
        assert not is_checkpoint(tmp_path / name)


def test_the_state_of_the_optimizer_is_left_out_and_precisions_become_float32(tmp_path):
    slots = "w/Adam w/Adam_1 Variable Variable_17 beta1_power opt/beta2_power_1 global_step"
    weights = {"w": W, "Variables": W.astype(np.float16), "w/Adamant": W.astype(np.float64)}
    arrays = weights | dict.fromkeys([*slots.split(), "w/ExponentialMovingAverage"], W)
    (tmp_path / "a [1]*").mkdir()  # A name is not a pattern.
    found = read_checkpoint(write_checkpoint(tmp_path / "a [1]*" / "c[2]?", arrays)).weights
    assert found.keys() == weights.keys()
    for values in found.values():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, W)


@pytest.mark.parametrize(
    ("arrays", "use_ema", "words"),
    [
        ({"w": np.arange(3)}, False, "w as float"),
        ({"w": np.array(["text"] * 9)}, False, "w as float"),
        ({"w": W}, True, "--use_ema"),
    ],
)
def test_values_that_cannot_be_used(tmp_path, arrays, use_ema, words):
    with pytest.raises(MimError, match=words):
        read_checkpoint(write_checkpoint(tmp_path / "c", {"v": W} | arrays), use_ema)


@pytest.mark.parametrize("suffix", FILES)
def test_a_missing_checkpoint_is_named(tmp_path, suffix):
    for path in (tmp_path / "model.ckpt-3", tmp_path / "no folder" / "model.ckpt-3", tmp_path):
        with pytest.raises(MimError, match=str(path)):
            read_checkpoint(f"{path}{suffix}")


def pipe(file):
    file.unlink()
    os.mkfifo(file)


def some_bits(file):
    content = bytearray(file.read_bytes())
    content[::99] = bytes(byte ^ 1 for byte in content[::99])
    file.write_bytes(content)


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
@pytest.mark.parametrize(
    "damage",
    [
        *(Path.unlink, pipe, some_bits, lambda file: file.write_bytes(b"")),
        lambda file: file.write_text("something else\n" * 99),
        lambda file: file.write_bytes(file.read_bytes()[:-10]),
    ],
)
def test_a_damaged_checkpoint_is_named(copied, suffix, damage):
    damage(Path(f"{copied}{suffix}"))
    with pytest.raises(MimError, match=r"model\.ckpt-3"):
        read_checkpoint(copied)


# Into a model


GATE = "conv_lstm/lstm_2/oc_weight"


@pytest.mark.parametrize("use_ema", [False, True])
@pytest.mark.parametrize("value", [None, np.zeros((8, 4)), np.full((8, 8, 4), np.nan)])
def test_weights_that_do_not_fit_change_nothing(tmp_path, value, use_ema):
    golden = load_golden("convlstm")
    model = mim_tf.build_model(golden.config)
    before, weights = model.get_weights(), golden.weights
    old = weights.pop(GATE)
    weights |= {"conv_lstm/more": old} if value is None else {GATE: np.float32(value)}
    ending = "/ExponentialMovingAverage" if use_ema else ""
    arrays = {f"{name}{ending}": array for name, array in weights.items()}
    prefix = write_checkpoint(tmp_path / "c", arrays)
    with pytest.raises(MimError, match=GATE):
        read_checkpoint(prefix, use_ema).load(model)
    if np.ndim(value) == 2:
        with pytest.raises(MimError, match=GATE):
            assign_tf1_weights(model, weights)
    np.testing.assert_equal(model.get_weights(), before)


def test_a_model_of_another_architecture(tiny_model):
    config = dataclasses.replace(load_golden("mim").config, filter_size=3)
    with pytest.raises(MimError, match="filter_size is 5"):
        load_weights(mim_tf.build_model(config), golden_checkpoint("mim"))
    with pytest.raises(MimError, match="patch_size 8"):
        load_weights(tiny_model, golden_checkpoint("mim"))


# Convert


@pytest.mark.slow
@pytest.mark.parametrize("case", ["mim_no_layer_norm", "predrnn"])  # others: test_parity.py
def test_converted_networks_of_2019_predict_what_they_predicted(tmp_path, case):
    golden = load_golden(case)
    model = convert(golden_checkpoint(case), tmp_path / "a.h5", **hints(case))
    for weight in model.weights:
        weight.assign(weight * 0)
    load_weights(model, tmp_path / "a.h5")
    assert stored_config(tmp_path / "a.h5") == model.config == golden.config
    forecast = model(golden.arrays["frames"][0])[:, -golden.config.horizon :]
    np.testing.assert_allclose(forecast, golden.arrays["pred_after"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("output", "changes", "words"),
    [
        ("a.ckpt", {}, r"a\.ckpt"),
        ("a.h5", {}, r"a\.h5 exists"),
        ("b.h5", {"patch_size": None}, "patch_size"),
        ("b.h5", {"img_width": 32}, "img_width"),
        ("b.h5", {"input_length": 20}, "input_length"),
        ("a.h5/b.h5/c.h5", {}, r"a\.h5/b\.h5"),
    ],
)
def test_a_conversion_that_fails_writes_nothing(tmp_path, output, changes, words):
    known = {k: v for k, v in (hints("convlstm") | changes).items() if v is not None}
    (tmp_path / "a.h5").write_text("precious")
    with pytest.raises(MimError, match=words):
        convert(golden_checkpoint("convlstm"), tmp_path / output, **known)
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
    assert (tmp_path / "a.h5").read_text() == "precious"
