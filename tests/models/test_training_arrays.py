import keras
import numpy as np
import pytest
import tensorflow as tf

from mim_tf import MimError
from mim_tf.models.predictor import check_training_arrays, first_batch
from mim_tf.values.scale import LinearScale
from tests.models.small_models import random_frames, small_model

FRAMES = random_frames(2, 5)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (FRAMES * 255, FRAMES[:, 1:], r"frames must be .* float32 in \[0\..*, 2.*\]\. Divide"),
        (np.uint8(FRAMES * 255), FRAMES[:, 1:], r"frames must be float, .* received uint8 in"),
        (FRAMES, FRAMES[:, 1:] * 255, "targets must be"),
        (np.where(FRAMES < 0.5, np.nan, FRAMES), FRAMES[:, 1:], r"frames must .* in \[nan, nan\]"),
        (FRAMES, FRAMES, r"frames 2\.\.T, \[2, 4, 8, 12, 2\], received \[2, 5, 8, 12, 2\]"),
        (FRAMES, FRAMES[:, 2:], r"received \[2, 3, 8, 12, 2\]: model.fit\(frames, frames\[:, 1:\]"),
        (FRAMES, FRAMES[:, :-1], r"received frames 1\.\.T-1"),
        (FRAMES, None, "received none"),
        ({"frames": FRAMES * 2, "flags": np.zeros((2, 2))}, FRAMES[:, 1:], "frames must be"),
    ],
)
def test_what_a_network_cannot_learn_from_is_refused(x, y, words):
    with pytest.raises(MimError, match=words):
        check_training_arrays(x, y)


def test_what_it_can_learn_from():
    missing = np.where(FRAMES < 0.5, np.nan, FRAMES)[:, 1:]
    still = np.repeat(FRAMES[:, :1], 5, axis=1)
    for x, y in ((FRAMES, FRAMES[:, 1:]), (FRAMES, missing), (still, still[:, 1:])):
        check_training_arrays(x, y)
        check_training_arrays({"frames": x, "flags": np.zeros((2, 2))}, y)
    check_training_arrays(iter([]), None)  # a data set has its targets with it


def test_values_of_a_scale_that_is_not_clipped():
    frames = FRAMES * 8 - 4
    check_training_arrays(frames, frames[:, 1:], clipped=False)
    for bad in (np.inf, np.nan):
        with pytest.raises(MimError, match=r"frames must be float and finite, .* missing are 0"):
            check_training_arrays(np.where(FRAMES < 0.5, bad, frames), frames[:, 1:], clipped=False)
    with pytest.raises(MimError, match="targets must be float and finite"):
        check_training_arrays(frames, np.where(FRAMES < 0.5, np.inf, frames)[:, 1:], clipped=False)


def test_evaluate_takes_values_of_the_scale_of_the_model():
    scale = LinearScale("K", 250.0, 300.0, clipped=False)
    model = small_model(scale=scale)
    model.compile(loss="mse")
    frames = FRAMES * 8 - 4
    assert model.evaluate(frames, frames[:, 1:], verbose=0) > 1


def test_fit_and_evaluate_look_at_them():
    model = small_model()
    for method in (model.fit, model.evaluate):
        with pytest.raises(MimError, match="received none"):
            method(FRAMES)


def test_levels_of_a_data_set_are_refused_where_the_model_is_called():
    with pytest.raises(MimError, match=r"must be float in .* received uint8. Divide"):
        small_model()(np.uint8(FRAMES))
    model = small_model(scale=LinearScale("K", 250.0, 300.0, clipped=False))
    with pytest.raises(MimError, match=r"^frames must be float, .*uint8: .*scale\.to_unit\(values"):
        model(np.uint8(FRAMES))


class Batches(keras.utils.PyDataset):
    """One batch; counts how often it is asked for."""

    def __init__(self, *batch):
        super().__init__()
        self.batch, self.asked = batch, 0

    def __len__(self):
        return 1

    def __getitem__(self, index):
        self.asked += 1
        return self.batch


def tf_data(*batch):
    return tf.data.Dataset.from_tensors(batch)


@pytest.mark.parametrize("data_set", [tf_data, Batches])
@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ((FRAMES * 255, FRAMES[:, 1:] * 255), r"frames must be .* float32 in \[0\..*Divide"),
        ((FRAMES, FRAMES[:, :-1]), r"received frames 1\.\.T-1"),
        ((FRAMES, FRAMES), r"frames 2\.\.T, \[2, 4, 8, 12, 2\], received \[2, 5, 8, 12, 2\]"),
        ((FRAMES,), "received none"),
        (({"frames": FRAMES * 2, "flags": np.zeros((2, 2))}, FRAMES[:, 1:]), "frames must be"),
    ],
)
def test_the_first_batch_of_a_data_set_is_looked_at(data_set, batch, words):
    with pytest.raises(MimError, match=words):
        check_training_arrays(*first_batch(data_set(*batch)))


@pytest.mark.parametrize("data_set", [tf_data, Batches])
def test_data_sets_it_can_learn_from(data_set):
    check_training_arrays(*first_batch(data_set(FRAMES, FRAMES[:, 1:], np.ones(2))))
    beyond = FRAMES * 8 - 4
    check_training_arrays(*first_batch(data_set(beyond, beyond[:, 1:])), clipped=False)
    half = FRAMES.astype("bfloat16")
    check_training_arrays(*first_batch(data_set(half, half[:, 1:])))


def test_data_sets_whose_first_batch_is_not_to_be_had():
    nothing = tf_data(FRAMES, FRAMES).take(0)
    batches = iter([(FRAMES * 255, FRAMES)])
    for data_set in (nothing, batches):
        assert first_batch(data_set) == (data_set, None)
        check_training_arrays(data_set)
    assert len(list(batches)) == 1  # a generator would lose it


def test_tensors_are_looked_at_like_arrays():
    with pytest.raises(MimError, match="frames must be"):
        check_training_arrays(keras.ops.convert_to_tensor(FRAMES * 255), FRAMES[:, 1:])


def test_validation_data_is_looked_at_before_training():
    model = small_model()
    wrong = (FRAMES * 255, FRAMES[:, 1:])
    for validation_data in (wrong, tf_data(*wrong)):
        with pytest.raises(MimError, match="frames must be"):
            model.fit(FRAMES, FRAMES[:, 1:], validation_data=validation_data)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_frames_of_another_shape_are_refused_before_keras_starts(method):
    model, narrow = small_model(), FRAMES[:, :, :, :8]
    batches = Batches(narrow, narrow[:, 1:])
    for x in (batches, tf_data(narrow, narrow[:, 1:])):
        with pytest.raises(MimError, match=r"^frames must be .* received \(2, 5, 8, 8, 2\)"):
            getattr(model, method)(x)
    assert batches.asked == 1


def test_validation_frames_of_another_shape_are_refused_before_training():
    narrow = FRAMES[:, :, :, :8]
    with pytest.raises(MimError, match=r"^frames must be .* received \(2, 5, 8, 8, 2\)"):
        small_model().fit(FRAMES, FRAMES[:, 1:], validation_data=(narrow, narrow[:, 1:]))


def test_validation_data_is_looked_at_once():
    model = small_model()
    model.compile(loss="mse", optimizer="sgd", run_eagerly=True)
    asked = []
    for fit in (model.fit, super(type(model), model).fit):
        batches = Batches(FRAMES, FRAMES[:, 1:])
        fit(FRAMES, FRAMES[:, 1:], validation_data=batches, epochs=3, verbose=0)
        asked.append(batches.asked)
    assert asked[0] == asked[1] + 1
