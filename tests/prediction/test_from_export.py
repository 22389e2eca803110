"""Exported models; these repeat the last frame, times a weight."""

import numpy as np
import pytest
import tensorflow as tf

from mim_tf.errors import MimError
from mim_tf.jobs.predict import predict_files
from mim_tf.prediction.forecasters import FromExport
from mim_tf.prediction.inputs import open_input
from mim_tf.prediction.outputs import Output

FRAMES = np.random.default_rng(0).random((2, 4, 3, 5, 1), np.float32)


def export(folder, context=None, horizon=None, name="frames", factor=1.0):
    """Predicts two frames; the signature tells so only where `horizon` does."""
    module = tf.Module()
    module.factor = tf.Variable(factor)
    module.horizon = tf.Variable(2)

    @tf.function(input_signature=[tf.TensorSpec((None, context, 3, 5, 1), tf.float32, name)])
    def serve(frames):
        predictions = tf.repeat(frames[:, -1:], module.horizon, axis=1) * module.factor
        return {"predictions": tf.ensure_shape(predictions, (None, horizon, 3, 5, 1))}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    return folder


def test_the_newest_version_predicts(tmp_path):
    export(tmp_path / "model" / "9")
    export(tmp_path / "model" / "10", factor=0.5)
    (tmp_path / "model" / "11").mkdir()
    predictor = FromExport(tmp_path / "model")
    assert predictor.frame_shape == (3, 5, 1)
    assert (predictor.horizon, predictor.context_length) == (2, None)
    expected = np.repeat(FRAMES[:, -1:], 2, axis=1) * np.float32(0.5)
    np.testing.assert_array_equal(predictor(FRAMES), expected)


def test_what_the_signature_fixes(tmp_path):
    predictor = FromExport(export(tmp_path / "1", context=4, horizon=2), horizon=2)
    assert (predictor.horizon, predictor.context_length) == (2, 4)
    assert predictor(FRAMES).shape == (2, 2, 3, 5, 1)


def test_from_file_to_file(tmp_path):
    np.save(tmp_path / "frames.npy", FRAMES[0])
    predictor = FromExport(export(tmp_path / "1", factor=3.0))
    inputs = [open_input(tmp_path / "frames.npy", predictor.frame_shape)]
    predict_files(predictor, inputs, [Output(tmp_path / "out.npy", "npy")])
    expected = np.minimum(1, FRAMES[0, [-1, -1]] * np.float32(3))
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


@pytest.mark.parametrize("told", [None, 2])
def test_another_horizon_is_refused(told, tmp_path):
    export(tmp_path / "1", horizon=told)
    with pytest.raises(MimError, match="exported for a horizon of 2 frames, received --horizon=3"):
        FromExport(tmp_path, horizon=3)


def test_folders_that_are_no_export(tmp_path):
    with pytest.raises(MimError, match="found none"):
        FromExport(tmp_path)
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"nothing of the kind")
    with pytest.raises(MimError, match="cannot be used"):
        FromExport(tmp_path)
    with pytest.raises(MimError, match="from frames to predictions"):
        FromExport(export(tmp_path / "2", name="pictures"))


def test_what_an_export_refuses_is_one_sentence(tmp_path):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3, 5, 1), tf.float32, "frames")])
    def serve(frames):
        check = tf.debugging.Assert(tf.reduce_all(frames < 0.5), ["frames must be dark"])
        with tf.control_dependencies([check]):
            return {"predictions": tf.repeat(frames[:, -1:], 2, axis=1)}

    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"serving_default": serve})
    predictor = FromExport(tmp_path)
    with pytest.raises(MimError, match=r"\[2, 4, 3, 5, 1\]: assertion failed: .*must be dark") as e:
        predictor(FRAMES)
    assert "\n" not in str(e.value)
