"""Weights in Keras' HDF5 layout: saved, loaded, and refused if they are damaged or hostile."""

import dataclasses
import random

import h5py
import keras
import numpy as np
import pytest

import mim_tf
from mim_tf.config.stored import ATTRIBUTE
from mim_tf.errors import MimError
from mim_tf.training.optimizers import compile_for_training
from mim_tf.weights.hdf5 import read_hdf5

BLOCK = "layers/functional/layers/mim_block"
KERNEL = f"{BLOCK}/from_input/vars/0"
SCALE = f"{BLOCK}/mim_s/from_hidden/norm/vars/0"


@pytest.fixture(scope="module")
def model(tiny_config):
    keras.utils.set_random_seed(0)
    return mim_tf.build_model(dataclasses.replace(tiny_config, img_width=8, filter_size=1))


@pytest.fixture
def saved(model, tmp_path):
    mim_tf.save_weights(model, tmp_path / "mim_tf.h5")
    return tmp_path / "mim_tf.h5"


@pytest.fixture
def of_keras(model, tmp_path):
    keras.Model.save_weights(model, tmp_path / "keras.weights.h5")
    return tmp_path / "keras.weights.h5"


@pytest.fixture
def unchanged(model):
    """Check that the weights of the model are afterwards what they were."""
    before = model.get_weights()
    yield
    np.testing.assert_equal(model.get_weights(), before)


def edit(path, key, value=None, **how):
    """Delete a data set or group, and write another one if values or a shape are given."""
    with h5py.File(path, "a") as file:
        del file[key]
        if value is not None or how:
            file.create_dataset(key, data=value, **how)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("key", "change", "words"),
    [
        (KERNEL, {"value": np.zeros(3)}, r"mim_block_2/from_input/kernel.* \[1, 1, 4, 16\]"),
        (SCALE, {"value": np.zeros(3)}, r"mim_s/from_hidden/norm/scale"),
        (SCALE, {"value": np.full(16, np.nan)}, "norm/scale has values"),
        (SCALE, {"value": np.full(16, np.inf)}, "norm/scale has values"),
        (SCALE, {"value": np.full(16, 1e300)}, "norm/scale has values"),
        (SCALE, {"shape": (16,), "dtype": "f4"}, "never written"),
        (SCALE, {"value": h5py.Empty("f4")}, "without a shape"),
        (SCALE, {"shape": (2**60,), "dtype": "f4", "chunks": (1024,)}, SCALE),
        *((key, {}, "missing") for key in (KERNEL, BLOCK, f"{BLOCK}/from_input/vars")),
        ("layers/functional", {}, "missing"),
        ("layers", {"value": np.zeros(3)}, "HDF5"),
        ("layers", {}, "group 'layers'"),
    ],
)
def test_weights_that_do_not_fit(model, saved, of_keras, key, change, words):
    for path in (saved, of_keras):
        edit(path, key, **change)
        with pytest.raises(MimError, match=words) as caught:
            read_hdf5(path).load(model)
        assert str(path) in str(caught.value)


@pytest.mark.usefixtures("unchanged")
def test_layers_the_model_does_not_have(model, of_keras):
    with h5py.File(of_keras, "a") as file:
        file.copy(BLOCK, f"{BLOCK}_1")
    with pytest.raises(MimError, match=f"{BLOCK}_1"):
        read_hdf5(of_keras).load(model)


def virtual(file, elsewhere):
    layout = h5py.VirtualLayout((16,), "f4")
    layout[:] = h5py.VirtualSource(elsewhere, SCALE, (16,))
    return file.create_virtual_dataset("new", layout)


@pytest.mark.parametrize(
    "make",
    [
        virtual,
        lambda file, _: h5py.SoftLink(f"/{SCALE}"),
        lambda file, other: h5py.ExternalLink(other, f"/{SCALE}"),
        lambda file, other: file.create_dataset("new", (16,), "f4", external=[(other, 0, 64)]),
        lambda file, _: file.create_dataset("new", data=np.ones(16), compression="gzip"),
        lambda file, _: file.create_dataset("new", data=["text"] * 16),
    ],
)
def test_weights_that_are_not_plain_numbers_in_the_file(saved, of_keras, make):
    with h5py.File(saved, "a") as file:
        del file[SCALE]
        file[SCALE] = make(file, str(of_keras))
    with pytest.raises(MimError, match=SCALE):
        read_hdf5(saved)


def test_groups_without_an_end(saved):
    with h5py.File(saved, "a") as file:
        file[f"{BLOCK}/again"] = file[BLOCK]
    with pytest.raises(MimError, match="no end"):
        read_hdf5(saved)


def test_values_that_are_declared_many_times_are_not_all_read(saved):
    with h5py.File(saved, "a") as file:
        for number in range(3000):
            file[f"layers/again/{number}"] = file[KERNEL]
    with pytest.raises(MimError, match="larger than the file"):
        read_hdf5(saved)


@pytest.mark.usefixtures("unchanged")
def test_the_state_of_another_optimizer(model, tmp_path):
    model.compile("sgd")
    model.optimizer.build(model.trainable_variables)
    mim_tf.save_weights(model, tmp_path / "state", with_optimizer=True)
    read_hdf5(tmp_path / "state").load(model)
    compile_for_training(model)
    with pytest.raises(MimError, match="another optimizer"):
        read_hdf5(tmp_path / "state").load(model)
    with pytest.raises(MimError, match="half=True"):
        mim_tf.save_weights(model, tmp_path / "state", with_optimizer=True, half=True)


@pytest.mark.parametrize(
    "value",
    [
        *("{", np.bytes_("{"), np.bytes_(b"\xff\xfe"), np.bytes_(2**17 * "{")),
        *(3.0, ["{}", "{}"], h5py.Empty("f4")),
    ],
)
def test_a_damaged_configuration(tmp_path, value):
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.attrs[ATTRIBUTE] = value
    with pytest.raises(MimError, match="configuration"):
        read_hdf5(tmp_path / "a.h5")


@pytest.mark.slow
def test_damaged_bytes_raise_nothing_but_mim_error(model, saved, tmp_path):
    """Of positions, those in the first part have most of the structure."""
    whole = saved.read_bytes()
    draw = random.Random(0)
    bad = tmp_path / "bad.h5"
    refused = 0
    for part in [len(whole), 8000] * 15:
        damaged = bytearray(whole)
        for _ in range(draw.choice([1, 4])):
            damaged[draw.randrange(part)] ^= 1 + draw.randrange(255)
        bad.write_bytes(damaged[: draw.choice([len(whole), len(whole), draw.randrange(part)])])
        try:
            read_hdf5(bad).load(model)
        except MimError:
            refused += 1
    assert 5 < refused < 30
