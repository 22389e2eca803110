"""Files for other runtimes, run by those runtimes."""

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

import mim_tf
from mim_tf.errors import MimError
from mim_tf.serving import write_file


@pytest.fixture(scope="module")
def context(frames):
    return frames.astype(np.float32) / 255


def assert_predicted(model, predictions, frames, horizon):
    expected = mim_tf.predict(model, frames, horizon).clip(0, 1)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(predictions, expected, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_onnx(build, context, tmp_path):
    # One layer: the conversion takes seconds for each.
    model = build(num_hidden=(4,))
    path = write_file(model, tmp_path / "new" / "model.onnx", "onnx", horizon=4)
    session = onnxruntime.InferenceSession(path)
    for frames in (context[:1, :1], context[:, :3], context):
        (predictions,) = session.run(["predictions"], {"frames": frames})
        assert_predicted(model, predictions, frames, 4)
    assert [each.name for each in path.parent.iterdir()] == ["model.onnx"]


def test_litert(model, context, tmp_path):
    path = write_file(model, tmp_path / "model.tflite", "litert")
    predict = Interpreter(str(path)).get_signature_runner()
    frames = context[:1, :3]
    assert_predicted(model, predict(frames=frames)["predictions"], frames, 2)


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


def test_bfloat16(build, tmp_path):
    model = build(precision="bfloat16")
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
