"""Many inputs: batches of one length, every result with its own input."""

import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.jobs.predict import predict_files
from mim_tf.prediction.inputs import open_input
from mim_tf.prediction.outputs import Output
from tests.data_examples import levels


class Continuation:
    """Predicts the mean context frame, plus 0.5 a frame; remembers the batches it was given."""

    frame_shape = (4, 6, 1)
    horizon = 3
    context_length = None
    scale = None

    def __init__(self):
        self.batches = []

    def __call__(self, context):
        self.batches.append(context.shape[:2])
        return self.expected(context)

    def expected(self, context):
        steps = np.arange(self.horizon, dtype=np.float32)[:, None, None, None] / 2
        return context.mean(axis=1, keepdims=True) + steps


def opened(folder, **arrays):
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return [open_input(folder / f"{name}.npy", (4, 6, 1)) for name in arrays]


def test_every_result_belongs_to_its_input(tmp_path):
    arrays = {
        "long": levels(5, 4, 6),
        "short": levels(2, 4, 6)[::-1],
        "several": levels(4, 5, 4, 6),
        "other": 255 - levels(2, 4, 6),
    }
    outputs = [Output(tmp_path / "out" / f"{name}.npy", "npy") for name in arrays]
    predictor = Continuation()
    predict_files(predictor, opened(tmp_path, **arrays), outputs, batch_size=3)
    assert predictor.batches == [(2, 2), (3, 5), (2, 5)]
    for array, output in zip(arrays.values(), outputs, strict=True):
        context = array.reshape(-1, array.shape[-3], 4, 6, 1) / np.float32(255)
        expected = predictor.expected(context).clip(0, 1)
        result = np.load(output.path)
        assert result.dtype == np.float32
        assert result.shape == (*array.shape[:-3], 3, 4, 6, 1)
        np.testing.assert_allclose(result.reshape(expected.shape), expected, atol=1e-6)


def test_nothing_is_predicted_where_an_output_cannot_hold_it(tmp_path):
    inputs = opened(tmp_path, a=levels(5, 4, 6), b=levels(2, 5, 4, 6))
    outputs = [Output(tmp_path / name, "gif") for name in ("a.gif", "b.gif")]
    predictor = Continuation()
    with pytest.raises(MimError, match="several sequences"):
        predict_files(predictor, inputs, outputs)
    assert not predictor.batches
    assert not (tmp_path / "a.gif").exists()


@pytest.mark.parametrize(("length", "message"), [(3, "Give --context=2"), (1, "Give more frames")])
def test_contexts_an_export_does_not_take(length, message, tmp_path):
    predictor = Continuation()
    predictor.context_length = 2
    inputs = opened(tmp_path, a=levels(length, 4, 6))
    with pytest.raises(MimError, match=rf"contexts of 2 frames, received {length}\. {message}"):
        predict_files(predictor, inputs, [Output(tmp_path / "out.npy", "npy")])
