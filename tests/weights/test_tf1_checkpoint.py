import os
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from mim_tf.errors import MimError
from mim_tf.weights.tf1 import is_checkpoint, read_weights, weight_shapes
from tests.golden_cases import load_golden
from tests.tf1_checkpoints import golden_checkpoint, write_checkpoint

FILES = [".index", ".meta", ".data-00000-of-00001"]
W = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def copied(tmp_path):
    """Prefix of a copy of a golden checkpoint."""
    for suffix in (".index", ".data-00000-of-00001"):
        shutil.copy(f"{golden_checkpoint('convlstm')}{suffix}", tmp_path / f"model.ckpt-3{suffix}")
    return tmp_path / "model.ckpt-3"


@pytest.mark.parametrize("case", ["mim", "predrnn_pp"])
def test_weights_without_slots_and_averages(case):
    golden = {name: array.shape for name, array in load_golden(case).weights.items()}
    assert weight_shapes(golden_checkpoint(case)) == golden


def test_values_and_averages_are_those_of_the_checkpoint():
    prefix = golden_checkpoint("mim")
    raw, averages = read_weights(prefix), read_weights(prefix, use_ema=True)
    assert set(raw) == set(averages) == set(weight_shapes(prefix))
    for name in raw:
        np.testing.assert_array_equal(raw[name], tf.train.load_variable(str(prefix), name))
        stored = tf.train.load_variable(str(prefix), f"{name}/ExponentialMovingAverage")
        np.testing.assert_array_equal(averages[name], stored)
        assert not np.array_equal(raw[name], averages[name])


@pytest.mark.parametrize("suffix", ["", *FILES])
def test_any_file_of_it_names_the_checkpoint(copied, suffix):
    named = f"{copied}{suffix}"
    assert is_checkpoint(named)
    assert weight_shapes(named) == weight_shapes(copied)


def test_what_is_no_checkpoint(tmp_path):
    (tmp_path / "a.h5").write_text("")
    (tmp_path / "a.h5.index").write_text("")
    for name in ("a.h5", "b", "."):
        assert not is_checkpoint(tmp_path / name)


def test_state_of_the_optimizer_is_no_weight(tmp_path):
    slots = "w/Adam w/Adam_1 Variable Variable_17 beta1_power opt/beta2_power_1 global_step"
    weights = {"w": W, "Variables": W, "w/Adamant": W}
    arrays = weights | dict.fromkeys([*slots.split(), "w/ExponentialMovingAverage"], W)
    assert set(weight_shapes(write_checkpoint(tmp_path / "c", arrays))) == set(weights)


def test_other_precisions_become_float32(tmp_path):
    arrays = {"half": W.astype(np.float16), "double": W.astype(np.float64)}
    weights = read_weights(write_checkpoint(tmp_path / "c", arrays))
    for name in arrays:
        assert weights[name].dtype == np.float32
        np.testing.assert_array_equal(weights[name], W)


@pytest.mark.parametrize("array", [np.arange(3), np.array(["text"] * 9)])
def test_weights_that_are_no_floats(tmp_path, array):
    prefix = write_checkpoint(tmp_path / "c", {"v": W, "w": array})
    with pytest.raises(MimError, match="expected w as floating-point numbers, received"):
        read_weights(prefix)


def test_averages_that_are_missing(tmp_path):
    prefix = write_checkpoint(tmp_path / "c", {"w": W})
    with pytest.raises(MimError, match=r"has no averages.*Leave out --use_ema"):
        read_weights(prefix, use_ema=True)


@pytest.mark.parametrize("suffix", FILES)
def test_a_missing_checkpoint(tmp_path, suffix):
    for path in (tmp_path / "model.ckpt-3", tmp_path / "no folder" / "model.ckpt-3", tmp_path):
        with pytest.raises(MimError, match=r"No TensorFlow 1 checkpoint .* such as model\.ckpt-80"):
            weight_shapes(f"{path}{suffix}")


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_half_a_checkpoint(copied, suffix):
    copied.with_name(copied.name + suffix).unlink()
    with pytest.raises(MimError, match=r"expected .*3\.index and .*3\.data-00000-of-00001"):
        weight_shapes(copied)


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
@pytest.mark.parametrize("keep", [0, 0.5, 0.99])
def test_a_truncated_checkpoint(copied, suffix, keep):
    file = copied.with_name(copied.name + suffix)
    content = file.read_bytes()
    file.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(MimError, match=r"model\.ckpt-3 cannot be read.*truncated or damaged"):
        read_weights(copied)


def test_a_foreign_index(copied):
    copied.with_name("model.ckpt-3.index").write_text("an index of something else\n" * 99)
    with pytest.raises(MimError, match="cannot be read as a TensorFlow 1 checkpoint"):
        weight_shapes(copied)


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_damaged_bytes_surface_as_nothing_but_mim_error(copied, suffix):
    file = copied.with_name(copied.name + suffix)
    whole = file.read_bytes()
    draw = random.Random(0)
    refused = 0
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 + draw.randrange(255)
        file.write_bytes(damaged)
        try:
            read_weights(copied)
        except MimError:
            refused += 1
    assert refused > 5


def test_without_tensorflow(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MimError, match=r"TensorFlow is needed .* not installed: pip install"):
        weight_shapes(golden_checkpoint("mim"))


def test_a_folder_is_no_checkpoint():
    assert not is_checkpoint(".")


def test_names_are_no_patterns(tmp_path):
    folder = tmp_path / "a [1]*"
    folder.mkdir()
    weights = read_weights(write_checkpoint(folder / "c[2]?", {"v": W}))
    np.testing.assert_array_equal(weights["v"], W)


def test_a_part_that_is_a_pipe_is_not_waited_for(copied):
    Path(f"{copied}.index").unlink()
    os.mkfifo(f"{copied}.index")
    with pytest.raises(MimError, match="found a named pipe"):
        weight_shapes(copied)
