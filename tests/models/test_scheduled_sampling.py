import keras
import numpy as np
import pytest
from small_models import random_frames, small_config, small_model

from mim_tf import ModelConfig
from mim_tf.models.scheduled_sampling import ScheduledSampling, eta
from mim_tf.weights import load_weights, save_weights


def sampling(seed=0, **changes):
    return ScheduledSampling(small_config(**changes), seed)


def draws(layer, count, batch=20, steps=9):
    return [np.asarray(layer.draw(batch, steps)) for _ in range(count)]


@pytest.fixture(scope="module")
def model():
    return small_model(sampling_start_value=0.5)


@pytest.mark.parametrize(
    ("iteration", "probability"),
    # The 2019 code lowers eta before it first draws.
    [(1, 1 - 2e-5), (2, 1 - 4e-5), (10_000, 0.8), (49_999, 2e-5), (50_000, 0), (80_000, 0)],
)
def test_probability_falls_as_in_the_2019_code(iteration, probability):
    assert float(eta(ModelConfig(), iteration)) == pytest.approx(probability, abs=2e-7)


def test_probability_ends_at_the_stop_even_if_it_has_not_fallen_to_zero():
    config = ModelConfig(sampling_changing_rate=0.0, sampling_stop_iter=3)
    assert [float(eta(config, i)) for i in (1, 2, 3, 4)] == [1, 1, 0, 0]


def test_probability_is_never_negative():
    config = ModelConfig(sampling_start_value=0.5, sampling_changing_rate=0.3)
    assert [float(eta(config, i)) for i in (1, 2, 3)] == pytest.approx([0.2, 0, 0])


def test_layer_uses_the_probability_of_its_own_iteration():
    layer = sampling(sampling_start_value=0.9, sampling_changing_rate=0.1, updates_per_iteration=2)
    seen = []
    for _ in range(4):
        seen.append(float(layer.eta()))
        layer.draw(1, 1)
    assert seen == pytest.approx([0.8, 0.8, 0.7, 0.7])


def test_updates_of_one_iteration_draw_the_same_flags():
    first, second, third, fourth = draws(
        sampling(sampling_start_value=0.5, updates_per_iteration=2), 4
    )
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(third, fourth)
    assert (first != third).any()


def test_share_of_true_frames_is_the_probability():
    layer = sampling(sampling_start_value=0.5, sampling_changing_rate=0.0)
    (flags,) = draws(layer, 1, batch=1000, steps=100)
    assert set(np.unique(flags)) == {0, 1}
    # Six standard deviations.
    assert flags.mean() == pytest.approx(0.5, abs=0.01)
    assert np.abs(flags.mean(0) - 0.5).max() < 0.1
    assert np.abs(flags.mean(1) - 0.5).max() < 0.3


def test_flags_follow_the_seed():
    (a,), (same,), (other,) = (
        draws(sampling(seed, sampling_start_value=0.5), 1) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(a, same)
    assert (a != other).any()


@pytest.mark.parametrize(
    ("settings", "probability"),
    [
        ({"model_name": "mim_star"}, 1),
        ({"model_name": "predrnn", "scheduled_sampling": False}, 0),
        # The 2019 code always feeds it its own output.
        ({"model_name": "convlstm_net"}, 0),
        ({"model_name": "convlstm_net", "scheduled_sampling": True}, 1),
    ],
)
def test_network_decides_unless_told(settings, probability):
    config = ModelConfig(sampling_changing_rate=0.0, **settings)
    assert float(eta(config, 1)) == probability


@pytest.mark.parametrize("changes", [{"scheduled_sampling": False}, {"sampling_stop_iter": 1}])
def test_no_true_frame_is_given_without_or_after_sampling(changes):
    assert not draws(sampling(**changes), 1)[0].any()


def test_training_draws_what_the_layer_draws(model):
    model.sampling.updates.assign(0)
    frames = random_frames(4, 5)
    (flags,) = draws(sampling(sampling_start_value=0.5), 1, batch=4, steps=2)
    assert 0 < flags.mean() < 1
    expected = np.asarray(model({"frames": frames, "flags": flags}))
    np.testing.assert_array_equal(model(frames, training=True), expected)


def test_only_updates_with_drawn_flags_are_counted(model):
    frames = random_frames(1, 5)
    model.sampling.updates.assign(0)
    model(frames)
    model({"frames": frames, "flags": np.zeros((1, 2), np.float32)}, training=True)
    assert int(model.sampling.updates) == 0
    model(frames, training=True)
    assert int(model.sampling.updates) == 1


def test_count_is_a_weight_and_saved_with_the_others(model, tmp_path):
    updates = model.sampling.updates
    assert any(weight is updates for weight in model.weights)
    assert not any(weight is updates for weight in model.trainable_weights)
    updates.assign(7)
    save_weights(model, tmp_path / "a.weights.h5")
    updates.assign(0)
    load_weights(model, tmp_path / "a.weights.h5")
    assert int(updates) == 7


def test_draws_go_on_after_the_count_is_restored():
    config = {"sampling_start_value": 0.5, "updates_per_iteration": 2}
    *_, expected = draws(sampling(**config), 5)
    resumed = sampling(**config)
    resumed.updates.assign(4)
    # A run that goes on in a new process has another global state.
    keras.utils.set_random_seed(99)
    np.testing.assert_array_equal(draws(resumed, 1)[0], expected)
