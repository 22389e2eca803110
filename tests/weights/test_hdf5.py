import dataclasses
import random
import shutil

import h5py
import keras
import numpy as np
import pytest

import mim_tf
from mim_tf.config.stored import ATTRIBUTE
from mim_tf.errors import MimError
from mim_tf.training.compile import compile_for_training
from mim_tf.weights.hdf5 import configuration_inside, load_hdf5

BLOCK = "layers/functional/layers/mim_block"
KERNEL = f"{BLOCK}/from_input/vars/0"
SCALE = f"{BLOCK}/mim_s/from_hidden/norm/vars/0"


@pytest.fixture(scope="module")
def model(tiny_config):
    keras.utils.set_random_seed(0)
    return mim_tf.build_model(dataclasses.replace(tiny_config, img_width=8, filter_size=1))


@pytest.fixture(scope="module")
def originals(model, tmp_path_factory):
    """A file of mim_tf and one of Keras, with the weights of the model."""
    folder = tmp_path_factory.mktemp("originals")
    mim_tf.save_weights(model, folder / "mim_tf.h5")
    keras.Model.save_weights(model, folder / "keras.weights.h5")
    return folder


@pytest.fixture
def saved(originals, tmp_path):
    return shutil.copy(originals / "mim_tf.h5", tmp_path)


@pytest.fixture
def of_keras(originals, tmp_path):
    return shutil.copy(originals / "keras.weights.h5", tmp_path)


@pytest.fixture
def unchanged(model):
    """Checks that the weights of the model are afterwards what they were."""
    before = [np.array(weight.numpy()) for weight in model.weights]
    yield
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def replace(path, key, value, **how):
    with h5py.File(path, "a") as file:
        del file[key]
        file.create_dataset(key, data=value, **how)


@pytest.mark.parametrize("kind", ["saved", "of_keras"])
def test_round_trip(model, kind, request):
    path = request.getfixturevalue(kind)
    before = [np.array(weight.numpy()) for weight in model.weights]
    for weight in model.weights:
        weight.assign(weight + 1)
    load_hdf5(model, path)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_only_files_of_mim_tf_have_a_configuration(model, saved, of_keras):
    assert configuration_inside(saved) == model.config
    assert configuration_inside(of_keras) is None


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("key", "words"),
    [
        (KERNEL, r"mim_block_2/from_input/kernel is \[3\] there, \[1, 1, 4, 16\] here"),
        (SCALE, r"mim_block_2/mim_s/from_hidden/norm/scale is \[3\] there, \[16\] here"),
    ],
)
def test_the_first_weight_of_another_shape_is_named(model, saved, of_keras, key, words):
    for path, kind in ((saved, "is damaged: "), (of_keras, "holds weights of another arch.*: ")):
        replace(path, key, np.zeros(3))
        with pytest.raises(MimError, match=kind + words):
            load_hdf5(model, path)


@pytest.mark.usefixtures("unchanged")
def test_layers_the_model_does_not_have(model, of_keras):
    with h5py.File(of_keras, "a") as file:
        file.copy(BLOCK, f"{BLOCK}_1")
    with pytest.raises(MimError, match=rf"{BLOCK}_1/\S+/0 is \[.*\] there, missing here"):
        load_hdf5(model, of_keras)


@pytest.mark.usefixtures("unchanged")
def test_another_setting_is_named_before_its_first_weight(tiny_config, model, tmp_path):
    other = mim_tf.build_model(dataclasses.replace(model.config, num_hidden=(3, 3)))
    mim_tf.save_weights(other, tmp_path / "other.h5")
    words = (
        r"its num_hidden is \(3, 3\), the model's is \(4, 4\)\. The first weight that differs: "
        r"st_lstm_1/from_input/kernel is \[1, 1, 64, 12\] there, \[1, 1, 64, 16\] here"
    )
    with pytest.raises(MimError, match=words):
        load_hdf5(model, tmp_path / "other.h5")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(model, saved, value):
    with h5py.File(saved, "a") as file:
        file[SCALE][5] = value
    with pytest.raises(MimError, match="mim_block_2/mim_s/from_hidden/norm/scale has values that"):
        load_hdf5(model, saved)


@pytest.mark.usefixtures("unchanged")
def test_weights_too_large_for_float32(model, saved):
    replace(saved, SCALE, np.full(16, 1e300))
    with pytest.raises(MimError, match="norm/scale has values that are NaN or infinite in float32"):
        load_hdf5(model, saved)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("key", [KERNEL, SCALE])
def test_weights_that_were_never_written(model, saved, key):
    with h5py.File(saved) as file:
        shape = file[key].shape
    replace(saved, key, None, shape=shape, dtype="f4")
    with pytest.raises(MimError, match=r"is incomplete: mim_block_2/\S+ was never written"):
        load_hdf5(model, saved)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("key", [KERNEL, BLOCK, f"{BLOCK}/from_input/vars", "layers/functional"])
def test_weights_that_are_missing(model, saved, key):
    with h5py.File(saved, "a") as file:
        del file[key]
    with pytest.raises(MimError, match=r"is damaged: \S+ is missing there, \[.*\] here"):
        load_hdf5(model, saved)


def soft(file, elsewhere):
    return h5py.SoftLink(f"/{SCALE}")


def external(file, elsewhere):
    return h5py.ExternalLink(str(elsewhere), f"/{SCALE}")


def compressed(file, elsewhere):
    return file.create_dataset("new", data=np.ones(16), chunks=(4,), compression="gzip")


def virtual(file, elsewhere):
    layout = h5py.VirtualLayout((16,), "f4")
    layout[:] = h5py.VirtualSource(str(elsewhere), SCALE, (16,))
    return file.create_virtual_dataset("new", layout)


def outside(file, elsewhere):
    return file.create_dataset("new", (16,), "f4", external=[(str(elsewhere), 0, 64)])


def text(file, elsewhere):
    return file.create_dataset("new", data=["text"] * 16)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("make", [soft, external, compressed, virtual, outside, text])
def test_weights_that_are_no_plain_numbers_in_the_file(model, saved, originals, make):
    with h5py.File(saved, "a") as file:
        del file[SCALE]
        file[SCALE] = make(file, originals / "mim_tf.h5")
    with pytest.raises(MimError, match=r"expected (all weights|mim_block_2/mim_s/from_hidden/nor)"):
        load_hdf5(model, saved)


@pytest.mark.usefixtures("unchanged")
def test_a_declared_size_is_checked_before_memory_is_taken(model, saved):
    replace(saved, SCALE, None, shape=(2**60,), dtype="f4", chunks=(1024,))
    with pytest.raises(MimError, match=rf"norm/scale is \[{2**60}\] there"):
        load_hdf5(model, saved)


@pytest.mark.usefixtures("unchanged")
def test_groups_without_an_end(model, saved):
    with h5py.File(saved, "a") as file:
        file[f"{BLOCK}/again"] = file[BLOCK]
    with pytest.raises(MimError, match="its groups have no end"):
        load_hdf5(model, saved)


@pytest.mark.usefixtures("unchanged")
def test_the_state_of_another_optimizer(originals, model, tmp_path):
    model.compile("sgd")
    model.optimizer.build(model.trainable_variables)
    mim_tf.save_weights(model, tmp_path / "state", with_optimizer=True)
    load_hdf5(model, tmp_path / "state")
    compile_for_training(model)
    with pytest.raises(MimError, match=r"state of another optimizer: \S+ is missing there"):
        load_hdf5(model, tmp_path / "state")


@pytest.mark.parametrize(
    ("names", "words"), [(["data", "date"], "found 'data', 'date'"), ([], "found nothing")]
)
def test_hdf5_files_of_other_things(tmp_path, names, words):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in names:
            file[name] = np.zeros(3)
    with pytest.raises(MimError, match=f"not of weights: expected the group 'layers' .* {words}"):
        configuration_inside(tmp_path / "a.h5")


@pytest.mark.usefixtures("unchanged")
def test_a_data_set_in_the_place_of_weights(model, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["layers"] = np.zeros(3)
    with pytest.raises(MimError, match="cannot be read"):
        load_hdf5(model, tmp_path / "a.h5")


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n"])
def test_files_that_are_not_hdf5(tmp_path, content):
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(
        MimError, match=r"a\.h5: expected a weights file, .* cannot be read as HDF5"
    ):
        configuration_inside(tmp_path / "a.h5")


@pytest.mark.parametrize("value", ["{", np.bytes_("{"), np.bytes_(b"\xff\xfe")])
def test_a_damaged_configuration(saved, value):
    with h5py.File(saved, "a") as file:
        file.attrs[ATTRIBUTE] = value
    with pytest.raises(MimError, match="its configuration cannot be read"):
        configuration_inside(saved)


@pytest.mark.parametrize("value", [3.0, ["{}", "{}"], h5py.Empty("f4"), np.bytes_(2**17 * "{")])
def test_a_configuration_that_is_no_text(tmp_path, value):
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.attrs[ATTRIBUTE] = value
    with pytest.raises(MimError, match="its configuration is not text"):
        configuration_inside(tmp_path / "a.h5")


@pytest.mark.slow
def test_damaged_bytes_surface_as_nothing_but_mim_error(model, saved, tmp_path):
    """Of positions, those in the first part have most of the structure."""
    with open(saved, "rb") as file:
        whole = file.read()
    draw = random.Random(0)
    bad = tmp_path / "bad.h5"
    refused = 0
    for part in [len(whole), 8000] * 15:
        damaged = bytearray(whole)
        for _ in range(draw.choice([1, 4])):
            damaged[draw.randrange(part)] ^= 1 + draw.randrange(255)
        bad.write_bytes(damaged[: draw.choice([len(whole), len(whole), draw.randrange(part)])])
        try:
            load_hdf5(model, bad)
        except MimError:
            refused += 1
    assert 5 < refused < 30
