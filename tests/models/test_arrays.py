"""Arrays that a network cannot learn from are refused before Keras starts."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mim_tf import MimError
from mim_tf.models.predictor import check_training_arrays, first_batch, predict
from mim_tf.values.scale import LinearScale
from tests.models.small_models import random_frames, shared_model, small_model

FRAMES = random_frames(2, 5)
NARROW = FRAMES[:, :, :, :8]
FLAGS = np.zeros((2, 2))
MASKED = np.ma.masked_less(FRAMES, 0.5)
HALF_NAN = np.where(FRAMES < 0.5, np.nan, FRAMES)


class Batches(keras.utils.PyDataset):
    """One batch; counts how often it is read."""

    def __init__(self, *batch):
        super().__init__()
        self.batch, self.read = batch, 0

    def __len__(self):
        return 1

    def __getitem__(self, index):
        self.read += 1
        return self.batch


def tf_data(*batch):
    return tf.data.Dataset.from_tensors(batch)


def arrays(*batch):
    return batch


def check(x, *settings):
    """Check `x` as `fit` does: arrays, or the first batch of a data set."""
    check_training_arrays(*(x if isinstance(x, tuple) else first_batch(x)), *settings)


REFUSED = [
    ((FRAMES * 255, FRAMES[:, 1:]), r"frames.*Divide"),
    ((np.uint8(FRAMES * 255), FRAMES[:, 1:]), "uint8"),
    ((FRAMES, FRAMES[:, 1:] * 255), "targets"),
    ((HALF_NAN, FRAMES[:, 1:]), r"frames.*nan.* Replace NaN by 0\.$"),
    ((FRAMES, FRAMES), r"targets.*\[2, 5, 8, 12, 2\]"),
    ((FRAMES, FRAMES[:, 2:]), r"targets.*\[2, 3, 8, 12, 2\]"),
    ((FRAMES, FRAMES[:, :-1]), r"targets.*1\.\.T-1"),
    ((FRAMES,), "targets.*none"),
    (({"frames": FRAMES * 2, "flags": FLAGS}, FRAMES[:, 1:]), "frames"),
]


@pytest.mark.parametrize("form", [arrays, tf_data, Batches])
@pytest.mark.parametrize(("batch", "named"), REFUSED)
def test_batches_a_network_cannot_learn_from(form, batch, named):
    with pytest.raises(MimError, match=named):
        check(form(*batch))


@pytest.mark.parametrize("form", [arrays, tf_data, Batches])
def test_batches_a_network_can_learn_from(form):
    still = np.repeat(FRAMES[:, :1], 5, axis=1)
    half = FRAMES.astype("bfloat16")
    for x, y in (
        (FRAMES, FRAMES[:, 1:]),
        (FRAMES, HALF_NAN[:, 1:]),
        (FRAMES, np.full_like(FRAMES[:, 1:], np.nan)),
        (still, still[:, 1:]),
        (half, half[:, 1:]),
    ):
        check(form(x, y))
        check(form({"frames": x, "flags": FLAGS}, y))
    beyond = FRAMES * 8 - 4
    batch = form(beyond, beyond[:, 1:])
    check_training_arrays(*(batch if form is arrays else first_batch(batch)), clipped=False)


@pytest.mark.parametrize("scale", [None, LinearScale("K", 250.0, 300.0, clipped=False)])
def test_masked_values_are_not_used_as_they_are(scale):
    model = shared_model(scale=scale)
    for method in (model.fit, model.evaluate):
        with pytest.raises(MimError, match=r"frames.*filled\(0\)"):
            method(MASKED, FRAMES[:, 1:])
        with pytest.raises(MimError, match=r"targets.*filled\(np\.nan\)"):
            method(FRAMES, MASKED[:, 1:])
    with pytest.raises(MimError, match=r"frames.*filled"):
        model.predict(MASKED)
    check((np.ma.array(FRAMES), FRAMES[:, 1:]))


def test_a_scale_without_ends_needs_finite_values():
    frames = FRAMES * 8 - 4
    for bad in (np.inf, np.nan):
        with pytest.raises(MimError, match="frames"):
            check_training_arrays(np.where(FRAMES < 0.5, bad, frames), frames[:, 1:], clipped=False)
    with pytest.raises(MimError, match="targets"):
        check_training_arrays(frames, np.where(FRAMES < 0.5, np.inf, frames)[:, 1:], clipped=False)
    model = shared_model(scale=LinearScale("K", 250.0, 300.0, clipped=False))
    model.compile(loss="mse", run_eagerly=True)
    assert model.evaluate(frames, frames[:, 1:], verbose=0) > 1


def test_physical_values_instead_of_frames_are_noticed(caplog):
    model = shared_model(scale=LinearScale("K", 250.0, 300.0, False, 220.0, 330.0))
    predict(model, FRAMES, 1)
    assert not caplog.records
    predict(model, FRAMES + 280, 1)
    assert "to_physical" in caplog.text


def test_empty_sets_and_generators_are_not_read():
    nothing = tf_data(FRAMES, FRAMES).take(0)
    batches = iter([(FRAMES * 255, FRAMES)])
    for data_set in (nothing, batches):
        assert first_batch(data_set) == (data_set, None)
        check_training_arrays(data_set)
    assert len(list(batches)) == 1  # a batch taken from a generator would be lost


def test_fit_and_evaluate_check_arrays_tensors_and_validation_data():
    model = shared_model()
    wrong = (FRAMES * 255, FRAMES[:, 1:])
    for method in (model.fit, model.evaluate):
        with pytest.raises(MimError, match="targets"):
            method(FRAMES)
        with pytest.raises(MimError, match="frames"):
            method(keras.ops.convert_to_tensor(FRAMES * 255), FRAMES[:, 1:])
    for validation_data in (wrong, tf_data(*wrong), (NARROW, NARROW[:, 1:])):
        with pytest.raises(MimError, match="frames"):
            model.fit(FRAMES, FRAMES[:, 1:], validation_data=validation_data)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_frames_of_another_shape_are_refused_before_keras_starts(method):
    batches = Batches(NARROW, NARROW[:, 1:])
    for x in (batches, tf_data(NARROW, NARROW[:, 1:])):
        with pytest.raises(MimError, match=r"\(2, 5, 8, 8, 2\)"):
            getattr(shared_model(), method)(x)
    assert batches.read == 1


@pytest.mark.slow
def test_validation_data_is_checked_once():
    model = small_model(model_name="convlstm_net", num_hidden=(2,))
    model.compile(loss="mse", optimizer="sgd", run_eagerly=True)
    read = []
    for fit in (model.fit, super(type(model), model).fit):
        batches = Batches(FRAMES, FRAMES[:, 1:])
        fit(FRAMES, FRAMES[:, 1:], validation_data=batches, epochs=2, verbose=0)
        read.append(batches.read)
    assert read[0] == read[1] + 1
