"""Exported versions and files: as servers and other runtimes use them."""

import functools
import json

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
import tf2onnx.optimizer
from ai_edge_litert.interpreter import Interpreter
from scipy.ndimage import gaussian_filter
from tensorflow.core.protobuf import config_pb2

import mim_tf
from mim_tf.config.stored import from_json
from mim_tf.errors import MimError
from mim_tf.serving import write_file
from mim_tf.serving.saved_model import WARMUP, next_version, publish
from mim_tf.values.scale import RAIN_SCALES
from tests.layers.cells import randomise
from tests.models.small_models import untraced
from tests.serving.conftest import build


@pytest.fixture(scope="module")
def ask(version):
    """Run an endpoint; like a server, this does not compare inputs with the signature."""
    # The graph is the default one only while it is loaded: other tests need eager execution.
    with tf.Graph().as_default():
        session = tf.compat.v1.Session()
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(version))

    @functools.cache
    def prepare(endpoint):
        signature = loaded.signature_def[endpoint]
        options = config_pb2.CallableOptions(
            feed=[info.name for info in signature.inputs.values()],
            fetch=[info.name for info in signature.outputs.values()],
        )
        # Session.run would compare the shapes in Python; the public callables use it.
        call = session._make_callable_from_options(options)
        return call, list(signature.inputs), list(signature.outputs)

    def ask(endpoint, **inputs):
        call, given, returned = prepare(endpoint)
        return dict(zip(returned, call(*(inputs[name] for name in given)), strict=True))

    yield ask
    session.close()


def states_after(ask, batch):
    states = ask("start", batch_size=np.int32(batch))
    states = ask("step", frame=np.zeros((batch, 8, 16, 3), np.float32), **states)
    return {name: value for name, value in states.items() if name != "prediction"}


@pytest.mark.slow
def test_a_session_predicts_the_same(ask, frames, expected):
    predictions = ask("predict", frames=frames[:, :3] / np.float32(255))["predictions"]
    np.testing.assert_allclose(predictions, expected[3], rtol=0, atol=1e-5)


@pytest.mark.slow
def test_wrong_shapes_are_not_broadcast(ask):
    def rejected(endpoint, match, **inputs):
        with pytest.raises(tf.errors.InvalidArgumentError, match=match):
            ask(endpoint, **inputs)

    wrong = [(1, 2, 8, 16, 1), (1, 2, 1, 16, 3), (1, 2, 1, 1, 1), (2, 8, 16, 3), (1, 0, 8, 16, 3)]
    for shape in wrong:
        rejected("predict", "frames", frames=np.zeros(shape, "float32"))
        rejected("predict_uint8", "frames", frames=np.zeros(shape, "uint8"))
    states, frame = states_after(ask, 2), np.zeros((2, 8, 16, 3), np.float32)
    for shape in [(2, 8, 16, 1), (2, 1, 1, 3), (1, 8, 16, 3), (8, 16, 3)]:
        rejected("step", r"frame_|batch size", frame=np.zeros(shape, np.float32), **states)
    for name in ("last_prediction", "m", "h1", "started"):
        for shape in [(1, 2, 4, 4), (2, 1, 1, 4), (2, 2, 4), (1, 1, 1, 1)]:
            changed = states | {name: np.zeros(shape, np.float32)}
            rejected("rollout", name, **changed)
            rejected("step", name, frame=frame, **changed)


@pytest.mark.slow
def test_assets(version, model):
    config = from_json("model_config.json", (version / "assets/model_config.json").read_text())
    assert (config.input_length, config.horizon) == (3, 4)
    assert config.frame_shape == model.config.frame_shape
    assert json.loads((version / "assets/metrics.json").read_text()) == {"mse": 44.2}


@pytest.mark.slow
def test_every_endpoint_is_warmed_up(version, consumed):
    """`consumer.py` parsed the records and ran them."""
    shapes = dict(consumed[1]["warm-up"])
    assert len(shapes) == len(consumed[1]["warm-up"])
    predictions = {"predictions": [1, 4, 8, 16, 3]}
    states = {name: [1, 2, 4, 4] for name in ("m", "h1", "c1", "h2", "c2", "s2", "d2", "n2")}
    states |= {"started": [1, 1, 1, 1], "last_prediction": [1, 8, 16, 3]}
    assert shapes == {
        **dict.fromkeys(["predict", "predict_uint8", "rollout"], predictions),
        "predict_png": predictions | {"png_bytes": [1, 4]},
        "start": states,
        "step": states | {"prediction": [1, 8, 16, 3]},
    }
    assert (version / WARMUP).stat().st_size < 10_000


@pytest.mark.parametrize(
    ("names", "version"),
    [([], 1), (["1"], 2), (["2", "10"], 11), (["0007"], 8), (["v3", ".writing-5", "4x", "٣"], 1)],
)
def test_the_next_version_is_the_largest(tmp_path, names, version):
    for name in names:
        (tmp_path / name).mkdir()
    assert next_version(tmp_path) == version


@pytest.fixture
def new(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "model").write_text("new")
    return tmp_path / "new"


def test_no_version_is_overwritten(new, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "2").write_text("a file")
    assert publish(new, tmp_path) == tmp_path / "3"
    assert (tmp_path / "3" / "model").read_text() == "new"
    assert (tmp_path / "2").read_text() == "a file"
    assert not new.exists()
    with pytest.raises(FileNotFoundError):
        publish(tmp_path / "missing", tmp_path)


def test_another_program_publishes_the_same_version_first(new, tmp_path, monkeypatch):
    def competing_version(parent):
        version = next_version(parent)
        if version == 1:
            (parent / "1").mkdir()
            (parent / "1" / "model").write_text("theirs")
        return version

    monkeypatch.setattr("mim_tf.serving.saved_model.next_version", competing_version)
    assert publish(new, tmp_path) == tmp_path / "2"
    assert (tmp_path / "1" / "model").read_text() == "theirs"


def check_predicted(model, predictions, frames, horizon):
    expected = mim_tf.predict(model, frames, horizon).clip(0, 1)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(predictions, expected, rtol=0, atol=1e-5)


def check_refused(predict, context):
    """Check that a wrong value makes all predictions of its sequence NaN, and of no other."""
    for value in (np.nan, np.inf, -np.inf, -1, 1.001, 255):
        wrong = context.copy()
        wrong[0, -1, 2, 3, 0] = value
        predictions = predict(wrong)
        assert np.isnan(predictions[0]).all()
        np.testing.assert_array_equal(predictions[1:], predict(context)[1:])


@pytest.fixture(scope="module")
def small():
    return build(num_hidden=(4,))  # one layer, because conversions take seconds for each


@pytest.mark.slow
def test_onnx(small, frames, tmp_path):
    path = write_file(small, tmp_path / "new" / "model.onnx", "onnx", horizon=4)
    session = onnxruntime.InferenceSession(path)
    context = frames.astype(np.float32) / 255
    for part in (context[:1, :1], context[:, :3], context):
        (predictions,) = session.run(["predictions"], {"frames": part})
        check_predicted(small, predictions, part, 4)
    check_refused(lambda frames: session.run(["predictions"], {"frames": frames})[0], context)
    assert [each.name for each in path.parent.iterdir()] == ["model.onnx"]


@pytest.mark.slow
def test_litert(small, frames, tmp_path):
    path = write_file(small, tmp_path / "model.tflite", "litert")
    predict = Interpreter(str(path)).get_signature_runner()
    context = frames[:1, :3].astype(np.float32) / 255
    check_predicted(small, predict(frames=context)["predictions"], context, 2)
    check_refused(lambda frames: predict(frames=frames)["predictions"], context)


@pytest.mark.parametrize(
    ("name", "settings", "named"),
    [
        ("model.onnx", {"format": "litert"}, "--output"),
        ("model.onnx", {"format": "onyx"}, "--format"),
        ("model.tflite", {"format": "litert", "horizon": -1}, "--horizon"),
        ("there.tflite", {"format": "litert"}, r"there\.tflite"),
        ("there.tflite/model.tflite", {"format": "litert"}, r"there\.tflite"),
        ("bfloat16.tflite", {"format": "litert"}, "--precision"),
        ("model.onnx", {"format": "onnx"}, "tf2onnx"),
    ],
)
def test_single_files_reject_wrong_arguments(model, tmp_path, monkeypatch, name, settings, named):
    (tmp_path / "there.tflite").write_text("precious")
    if named == "tf2onnx":
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    if named == "--precision":
        model = build(precision="bfloat16")
    with pytest.raises(MimError, match=named):
        write_file(model, tmp_path / name, **settings)
    assert [path.name for path in tmp_path.iterdir()] == ["there.tflite"]
    assert (tmp_path / "there.tflite").read_text() == "precious"


@pytest.mark.slow
@pytest.mark.parametrize("prediction", ["motion", "flow"])
def test_exports_move_frames(tmp_path, prediction, monkeypatch):
    """Networks for rain, whose frames no patch divides, predict the same in every form."""
    # All of its optimizers take ten times as long as the conversion; `test_onnx` runs them.
    needed = {"remove_identity": tf2onnx.optimizer.IdentityOptimizer}
    monkeypatch.setattr("tf2onnx.optimizer._optimizers", needed)
    scale = RAIN_SCALES["dbz"]
    config = mim_tf.ModelConfig(
        "convlstm_net", img_height=11, img_width=14, patch_size=4, pad=True, num_hidden=(3,),
        filter_size=3, peephole="channel", layer_norm=False, prediction=prediction, scale=scale,
        input_length=2, total_length=4,
    )  # fmt: skip
    model = untraced(mim_tf.build_model(config))
    randomise(model)
    noise = np.random.default_rng(0).random((1, 2, 11, 14, 1), np.float32)
    frames = gaussian_filter(noise, (0, 0, 2, 2, 0))
    expected = np.clip(model.forecast(frames), 0, 1)
    assert expected.std() > 0.01
    version = mim_tf.serving.write_saved_model(model, tmp_path / "served", warmup=False)
    endpoints = tf.saved_model.load(str(version)).signatures
    found = {"predict": endpoints["predict"](frames=frames)["predictions"]}
    rain = endpoints["predict_physical"](frames=scale.to_physical(frames))["predictions"].numpy()
    np.testing.assert_allclose(rain, scale.to_physical(expected), rtol=2e-3, atol=1e-3)
    states = endpoints["start"](batch_size=tf.constant(1))
    for t in range(2):
        states = endpoints["step"](frame=frames[:, t], **states)
        del states["prediction"]
    found["rollout"] = endpoints["rollout"](**states)["predictions"]
    session = onnxruntime.InferenceSession(write_file(model, tmp_path / "a.onnx", "onnx"))
    found["onnx"] = session.run(None, {"frames": frames})[0]
    interpreter = Interpreter(str(write_file(model, tmp_path / "a.tflite", "litert")))
    found["litert"] = interpreter.get_signature_runner()(frames=frames)["predictions"]
    for name, predictions in found.items():
        np.testing.assert_allclose(predictions, expected, atol=1e-4, err_msg=name)
    check_refused(lambda frames: session.run(None, {"frames": frames})[0], frames)
    litert = interpreter.get_signature_runner()
    check_refused(lambda frames: litert(frames=frames)["predictions"], frames)
