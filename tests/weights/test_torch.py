"""Weights of OpenSTL and predrnn-pytorch: what their own code predicted, and what is refused."""

import dataclasses
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

import mim_tf
from mim_tf.cli.main import main
from mim_tf.errors import MimError
from mim_tf.jobs.convert import convert, table
from mim_tf.jobs.evaluate import carrying_memory
from mim_tf.prediction.forecasters import from_export
from mim_tf.serving import write_file, write_saved_model
from mim_tf.weights.files import read_weights
from mim_tf.weights.torch_file import _Unpickler, read_torch
from tests.models.small_models import untraced

GOLDEN = Path(__file__).parents[1] / "golden_torch"
SIZES = {"patch_size": 2, "img_width": 12, "img_height": 16}
CASES = {  # folder: its weights, and the settings that these do not hold
    "openstl_mim": ("checkpoint.pth", {"patch_size": 2}),
    "openstl_mim_norm": ("best.ckpt", {}),
    "openstl_predrnn": ("published.pth", SIZES),
    "openstl_predrnn_norm": ("checkpoint.pth", {"patch_size": 4}),
    "openstl_predrnnpp": ("checkpoint.pth", SIZES),
    "openstl_predrnnpp_lightning": ("best.ckpt", {}),
    "openstl_predrnnv2": ("checkpoint.pth", SIZES),
    "openstl_convlstm": ("latest.pth", SIZES),
    "openstl_convlstm_lightning": ("best.ckpt", {}),
    "thuml_predrnn": ("model.ckpt-80000", SIZES | {"img_width": 16}),
}


def weights_of(case):
    return GOLDEN / case / CASES[case][0]


@pytest.mark.parametrize("case", CASES)
def test_it_predicts_what_their_code_predicted(case, tmp_path):
    with np.load(GOLDEN / case / "case.npz") as file:
        frames, expected = file["frames"], file["predictions"]
    horizon = expected.shape[1]
    converted = tmp_path / "converted.weights.h5"
    convert(weights_of(case), converted, **CASES[case][1])
    model = untraced(mim_tf.load_model(converted))
    forecast = mim_tf.predict(model, frames[:, :-horizon], horizon)
    np.testing.assert_allclose(forecast, expected, rtol=0, atol=1e-4)
    assert "conv_last.weight -> to_pixels/kernel" in table(model)


def test_weights_load_where_they_are():
    model = mim_tf.load_model(weights_of("openstl_mim"), patch_size=2)
    assert (model.config.model_name, model.config.num_hidden) == ("mim_openstl", (5, 5, 5))
    other = mim_tf.build_model(dataclasses.replace(model.config, filter_size=3))
    with pytest.raises(MimError, match="filter_size"):
        read_weights(weights_of("openstl_mim")).load(other)


def test_lightning_keeps_settings_and_has_new_equations():
    config = read_weights(weights_of("openstl_mim_norm")).config()
    assert (config.frame_shape, config.patch_size, config.layer_norm) == ((16, 12, 2), 4, True)
    assert (config.input_length, config.total_length) == (3, 7)
    assert read_weights(weights_of("openstl_convlstm_lightning")).config().era == "lightning"
    released = read_weights(weights_of("openstl_convlstm"))
    assert released.config(**SIZES).era == "2023"
    assert released.config(**SIZES, era="lightning").era == "lightning"


def test_the_command_asks_for_what_a_file_does_not_hold(tmp_path, capsys):
    arguments = ["convert", f"--checkpoint={weights_of('openstl_predrnn')}"]
    arguments.append(f"--output={tmp_path / 'a.h5'}")
    for given, asked in (([], "1^2 * 4, 2^2 * 1"), (["--patch_size=2"], "--img_width")):
        with pytest.raises(SystemExit):
            main([*arguments, *given])
        assert asked in capsys.readouterr().err
    main([*arguments, "--data=kth"])
    assert "frames: 128 x 128 x 1 (H x W x C) in patches of 2" in capsys.readouterr().out


def test_converted_weights_train_on(tmp_path):
    model = mim_tf.load_model(weights_of("openstl_convlstm_lightning"))
    mim_tf.compile_for_training(model, learning_rate=1e-3)
    model.run_eagerly = True
    frames = np.random.default_rng(0).random((2, 8, 16, 12, 1), np.float32)
    before = model.evaluate(frames, frames[:, 1:], verbose=0)
    model.fit(frames, frames[:, 1:], epochs=2, verbose=0)
    assert np.mean(model.evaluate(frames, frames[:, 1:], verbose=0)) < np.mean(before)
    mim_tf.save_weights(model, tmp_path / "a.weights.h5")
    again = mim_tf.load_model(tmp_path / "a.weights.h5")
    np.testing.assert_equal(again.get_weights(), model.get_weights())


@pytest.mark.slow
def test_exports_predict_what_their_code_predicted(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    case = "openstl_convlstm_lightning"  # the fewest operations
    with np.load(GOLDEN / case / "case.npz") as file:
        frames, expected = file["frames"], np.clip(file["predictions"], 0, 1)
    model, horizon = mim_tf.load_model(weights_of(case)), expected.shape[1]
    write_saved_model(model, tmp_path / "served", horizon, warmup=False)
    served = from_export(tmp_path / "served").forecast(frames[:, :-horizon])
    np.testing.assert_allclose(served, expected, rtol=0, atol=1e-4)
    path = write_file(model, tmp_path / "a.onnx", "onnx", horizon)
    session = onnxruntime.InferenceSession(str(path))
    (found,) = session.run(None, {session.get_inputs()[0].name: frames[:1, :-horizon]})
    np.testing.assert_allclose(found, expected[:1], rtol=0, atol=1e-4)


@pytest.mark.parametrize("case", ["openstl_mim", "openstl_mim_norm"])
def test_the_stationary_memory_can_be_carried_to_the_next_batch(case):
    with np.load(GOLDEN / case / "case.npz") as file:
        stored = dict(file)
    model = mim_tf.load_model(weights_of(case), **CASES[case][1])
    horizon = stored["predictions"].shape[1]
    forecast = carrying_memory(model)
    for name in ("predictions", "predictions_second_call"):
        found = forecast(stored["frames"][:, :-horizon], horizon)
        np.testing.assert_allclose(found, stored[name], rtol=0, atol=1e-4)
    with pytest.raises(MimError, match=r"--carry_stationary_memory.*predrnn_torch"):
        carrying_memory(mim_tf.load_model(weights_of("thuml_predrnn"), **CASES["thuml_predrnn"][1]))


# Files that are not what they seem. A pickle is written operation by operation.


def name(module, what):
    return b"c" + f"{module}\n{what}\n".encode()


def text(content):
    return b"X" + len(content).to_bytes(4, "little") + content.encode()


def number(value):
    return b"J" + value.to_bytes(4, "little", signed=True)


def several(*parts):
    return b"(" + b"".join(parts) + b"t"


def tensor(offset=0, shape=(2, 2), strides=(2, 1), size=4, key="0", storage="FloatStorage"):
    """The pickle of a state dict with one tensor."""
    kind = name("torch", storage)
    place = several(text("storage"), kind, text(key), text("cuda:0"), number(size)) + b"Q"
    layout = several(*map(number, shape)), several(*map(number, strides))
    call = several(place, number(offset), *layout, b"\x89", b"N") + b"R"
    made = name("torch._utils", "_rebuild_tensor_v2") + call
    return b"\x80\x02}" + text("module.w") + made + b"s."


def written(path, content, values=b"", compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/data/0", values)
    return path


VALUES = np.arange(4, dtype="<f4").tobytes()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [[0, 1], [2, 3]]),
        ({"strides": (1, 2)}, [[0, 2], [1, 3]]),
        ({"offset": 2, "shape": (2,), "strides": (1,)}, [2, 3]),
        ({"storage": "IntStorage"}, np.frombuffer(VALUES, "<i4").reshape(2, 2)),
    ],
)
def test_tensors_are_read(tmp_path, change, expected):
    arrays = read_torch(written(tmp_path / "a.pth", tensor(**change), VALUES)).arrays
    np.testing.assert_array_equal(arrays["w"], expected)


class Payload:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "content",
    [
        tensor(size=400),
        tensor(offset=1),
        tensor(offset=-1),
        tensor(strides=(-2, 1)),
        tensor(shape=(2**30, 2**30), strides=(0, 0)),
        tensor(shape=(1000,), strides=(0,)),
        tensor(shape=(-1, 2)),
        tensor(key="../../a"),
        tensor(storage="UnknownStorage"),
        pickle.dumps(Payload(os.mkdir, ("ran",))),
        pickle.dumps({"state_dict": Payload(os.mkdir, ("ran",))}),
        pickle.dumps({"epoch": 3}),
        b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",
        b"\x80\x02]q\x00h\x00a.",  # a list that contains itself
        b"\x80\x02r\xff\xff\xff\x7f.",  # a place far away in the memory of the unpickler
        b"\x80\x05\x96" + (2**60).to_bytes(8, "little"),
        b"",
    ],
)
def test_hostile_files_are_refused_and_run_nothing(in_tmp, content):
    with pytest.raises(MimError, match=r"a\.pth"):
        mim_tf.load_model(written(in_tmp / "a.pth", content, VALUES))
    assert not (in_tmp / "ran").exists()


def test_what_could_inflate_or_is_cut_is_refused(tmp_path):
    path = written(tmp_path / "a.pth", tensor(), VALUES, zipfile.ZIP_DEFLATED)
    with pytest.raises(MimError, match=r"a\.pth.*compressed"):
        read_torch(path)
    for case in ("openstl_mim", "openstl_predrnn"):
        path.write_bytes(weights_of(case).read_bytes()[:-3000])
        with pytest.raises(MimError, match=r"a\.pth"):
            mim_tf.load_model(path, **SIZES)
    with pytest.raises(MimError, match=r"a\.pth.*MIM, PredRNN"):
        mim_tf.load_model(written(path, tensor(), VALUES))


def test_a_wrong_count_of_values_allocates_no_memory(tmp_path):
    path = tmp_path / "a.pth"
    content = bytearray(weights_of("openstl_predrnn").read_bytes())
    with weights_of("openstl_predrnn").open("rb") as file:
        for _ in range(5):  # the pickles that precede the first count
            _Unpickler(file).load()
        content[file.tell() : file.tell() + 8] = (2**48).to_bytes(8, "little")
    path.write_bytes(content)
    with pytest.raises(MimError, match=r"a\.pth") as caught:
        read_torch(path)
    assert "MemoryError" not in str(caught.value)
