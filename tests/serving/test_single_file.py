"""Files for other runtimes, run by those runtimes."""

import dataclasses

import keras
import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

import mim_tf
from mim_tf.errors import MimError
from mim_tf.serving import write_file

SMALL = mim_tf.ModelConfig(
    img_width=8,
    img_height=4,
    img_channel=2,
    patch_size=2,
    num_hidden=(3, 3),
    filter_size=3,
    input_length=3,
    total_length=5,
)


def build(config):
    keras.utils.set_random_seed(0)
    model = mim_tf.build_model(config)
    # Predictions of initial weights are near 0, half of them clipped.
    model.step.get_layer("to_pixels").weights[-1].assign_add(np.full(8, 0.5))
    return model


@pytest.fixture(scope="module")
def model():
    return build(SMALL)


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).random((2, 5, 4, 8, 2), np.float32)


def assert_predicted(model, predictions, frames, horizon):
    expected = mim_tf.predict(model, frames, horizon).clip(0, 1)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(predictions, expected, rtol=0, atol=1e-5)


def test_onnx(frames, tmp_path):
    # One layer: the conversion takes seconds for each.
    model = build(dataclasses.replace(SMALL, num_hidden=(3,)))
    path = write_file(model, tmp_path / "new" / "model.onnx", "onnx", horizon=4)
    session = onnxruntime.InferenceSession(path)
    for context in (frames[:1, :1], frames[:, :3], frames):
        (predictions,) = session.run(["predictions"], {"frames": context})
        assert_predicted(model, predictions, context, 4)
    assert [each.name for each in path.parent.iterdir()] == ["model.onnx"]


def test_litert(model, frames, tmp_path):
    path = write_file(model, tmp_path / "model.tflite", "litert")
    predict = Interpreter(str(path)).get_signature_runner()
    context = frames[:1, :3]
    assert_predicted(model, predict(frames=context)["predictions"], context, 2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"format": "litert"}, r"ends in \.tflite, received .*model\.onnx"),
        ({"format": "onyx"}, "format must be onnx or litert, received 'onyx'"),
        ({"horizon": -1}, "horizon must be at least 1, received -1"),
    ],
)
def test_bad_arguments(model, tmp_path, settings, words):
    with pytest.raises(MimError, match=words):
        write_file(model, tmp_path / "model.onnx", **{"format": "onnx"} | settings)
    assert not list(tmp_path.iterdir())


def test_bfloat16(tmp_path):
    model = mim_tf.build_model(dataclasses.replace(SMALL, precision="bfloat16"))
    with pytest.raises(MimError, match=r"precision bfloat16\. Add --precision=float32"):
        write_file(model, tmp_path / "model.tflite", "litert")


def test_without_tf2onnx(model, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MimError, match=r"pip install .mim_tf\[onnx\]"):
        write_file(model, tmp_path / "model.onnx", "onnx")


def test_what_is_there_stays(model, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_text("precious")
    with pytest.raises(MimError, match=r"model\.tflite exists already"):
        write_file(model, path, "litert")
    assert path.read_text() == "precious"


def test_a_folder_that_is_a_file(model, tmp_path):
    (tmp_path / "folder").touch()
    with pytest.raises(MimError, match="cannot be written"):
        write_file(model, tmp_path / "folder" / "model.tflite", "litert")
