"""Exported models, here small ones that predict the frames backwards."""

import numpy as np
import pytest
import tensorflow as tf

from mim_tf.errors import MimError
from mim_tf.prediction.export import FromExport, is_export

FRAMES = np.random.default_rng(0).random((2, 4, 3, 5, 1), np.float32)


def export(folder, context=None, name="frames", factor=1.0):
    """Predicts the last two frames, newest first, times a weight."""
    module = tf.Module()
    module.factor = tf.Variable(factor)

    @tf.function(input_signature=[tf.TensorSpec((None, context, 3, 5, 1), tf.float32, name)])
    def serve(frames):
        return {"predictions": frames[:, :-3:-1] * module.factor}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    return folder


def test_the_newest_version_predicts(tmp_path):
    export(tmp_path / "model" / "9")
    export(tmp_path / "model" / "10", factor=0.5)
    (tmp_path / "model" / "11").mkdir()
    predictor = FromExport(tmp_path / "model")
    assert predictor.horizon == 1  # Of one frame there is only one to turn round.
    assert (tuple(predictor.frame_shape), predictor.context_length) == ((3, 5, 1), None)
    np.testing.assert_array_equal(predictor(FRAMES), FRAMES[:, :-3:-1] * np.float32(0.5))


def test_a_fixed_context_and_its_horizon(tmp_path):
    predictor = FromExport(export(tmp_path / "1", context=4), horizon=2)
    assert (predictor.horizon, predictor.context_length) == (2, 4)
    with pytest.raises(MimError, match="exported for a horizon of 2 frames, received --horizon=3"):
        FromExport(tmp_path / "1", horizon=3)


def test_folders_that_are_no_export(tmp_path):
    assert is_export(tmp_path)
    assert not is_export(tmp_path / "nothing")
    with pytest.raises(MimError, match="found none"):
        FromExport(tmp_path)
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"nothing of the kind")
    with pytest.raises(MimError, match="cannot be used"):
        FromExport(tmp_path)
    with pytest.raises(MimError, match="from frames to predictions"):
        FromExport(export(tmp_path / "2", name="pictures"))
