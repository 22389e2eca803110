import collections
import json
import sys

import numpy as np
import pytest
import tensorflow as tf

import mim_tf
from mim_tf.cli.export import export
from mim_tf.errors import MimError

SMALL = mim_tf.ModelConfig(
    model_name="convlstm_net",
    img_width=4,
    img_channel=2,
    patch_size=2,
    num_hidden=(2,),
    filter_size=3,
    input_length=2,
    total_length=5,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.h5"
    mim_tf.save_weights(mim_tf.build_model(SMALL), path)
    return path


def test_the_next_version(weights, tmp_path, mim):
    """Two channels are no picture, so there is no predict_png."""
    output = tmp_path / "model"
    (output / "7").mkdir(parents=True)
    (output / "7" / "precious").touch()
    printed = mim("export", f"--pretrained_model={weights}", f"--output={output}", "--nowarmup")
    assert printed == f"version 8 of the model in {output / '8'}\n"
    assert sorted(path.name for path in output.iterdir()) == ["7", "8"]
    assert [path.name for path in (output / "7").iterdir()] == ["precious"]
    assert not (output / "8" / "assets.extra").exists()
    assert (
        json.loads((output / "8/assets/model_config.json").read_text())["model"]["total_length"]
        == 5
    )
    endpoints = tf.saved_model.load(str(output / "8")).signatures
    names = ["predict", "predict_uint8", "rollout", "serving_default", "start", "step"]
    assert sorted(endpoints) == names
    context = np.random.default_rng(0).random((1, 2, 4, 4, 2), np.float32)
    expected = mim_tf.predict(mim_tf.load_model(weights), context, 3).clip(0, 1)
    predictions = endpoints["predict"](frames=tf.constant(context))["predictions"]
    np.testing.assert_allclose(predictions, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "dtypes"),
    # A gate kernel for the input, one for the hidden state; peepholes, biases, norms, pixels.
    [([], {tf.bfloat16: 2, tf.float32: 10}), (["--freeze"], {})],
)
def test_weights_are_stored_as_they_are_used(weights, tmp_path, mim, arguments, dtypes):
    arguments = ["--precision=bfloat16", "--nowarmup", *arguments]
    mim("export", f"--pretrained_model={weights}", f"--output={tmp_path}", *arguments)
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    variables = loaded.signatures["predict"].variables
    assert collections.Counter(variable.dtype for variable in variables) == dtypes
    config = json.loads((tmp_path / "1/assets/model_config.json").read_text())["model"]
    assert config["precision"] == "bfloat16"


def test_a_file(weights, tmp_path, mim):
    output = tmp_path / "model.tflite"
    printed = mim(
        "export", f"--pretrained_model={weights}", f"--output={output}", "--format=litert"
    )
    assert printed.endswith(f"the model in {output}\n")
    assert output.read_bytes()[4:8] == b"TFL3"  # By which TensorFlow Lite knows its files.


def without_serving_api(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    for name in [name for name in sys.modules if name.startswith("tensorflow_serving.")]:
        monkeypatch.delitem(sys.modules, name)
    return {}


def on_jax(monkeypatch, folder):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    return {}


def bad_metrics(monkeypatch, folder):
    (folder / "scores.json").write_text("{")
    return {"metrics": folder / "scores.json"}


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (lambda *_: {"horizon": -1}, "horizon must be at least 1, received -1"),
        (
            lambda _, folder: {"metrics": folder / "none"},
            "none: expected metrics as JSON, found no such file",
        ),
        (lambda *_: {"metrics": "a.json", "format": "onnx"}, "metrics needs --format=saved_model"),
        (bad_metrics, r"scores\.json, must be JSON"),
        (on_jax, "KERAS_BACKEND=tensorflow, received jax"),
        (without_serving_api, r"mim_tf\[serving\].*--nowarmup"),
    ],
)
def test_what_ends_in_an_error_writes_nothing(weights, tmp_path, monkeypatch, case, words):
    changes = case(monkeypatch, tmp_path)
    with pytest.raises(MimError, match=words):
        export(weights, tmp_path / "model", **changes)
    assert not (tmp_path / "model").exists()


def test_an_output_that_is_a_file(weights, tmp_path):
    (tmp_path / "model").write_text("precious")
    with pytest.raises(MimError, match=r"model cannot be written: .*exists"):
        export(weights, tmp_path / "model")
    assert (tmp_path / "model").read_text() == "precious"


def test_a_disk_that_is_full(weights, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mim_tf.serving.saved_model._write", full)
    with pytest.raises(MimError, match="No space left on device"):
        export(weights, tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []


def test_an_error_is_one_sentence(error_of, tmp_path):
    weights = f"--pretrained_model={tmp_path / 'none.h5'}"
    status, message = error_of("export", weights, f"--output={tmp_path}")
    assert (status, message.count("\n")) == (1, 1)
    assert "none.h5" in message
