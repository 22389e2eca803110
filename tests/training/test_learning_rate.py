import keras
import numpy as np
import pytest

from mim_tf.training.compile import learning_rate


def rates(schedule, updates, **settings):
    schedule = learning_rate(schedule, peak=2.0, updates=updates, **settings)
    return np.array([float(schedule(update)) for update in range(updates + 1)])


def test_constant():
    assert learning_rate("constant", 2.0, warmup=0, updates=7) == 2.0
    np.testing.assert_allclose(rates("constant", 6, warmup=4), [0, 0.5, 1, 1.5, 2, 2, 2])


@pytest.mark.parametrize("warmup", [0, 10])
def test_cosine(warmup):
    got = rates("cosine", 50, warmup=warmup)
    np.testing.assert_allclose(got[:warmup], np.arange(warmup) / 5, atol=1e-6)
    phase = np.pi * np.arange(51 - warmup) / (50 - warmup)
    np.testing.assert_allclose(got[warmup:], 1 + np.cos(phase), atol=1e-6)


def test_wsd():
    got = rates("wsd", 100, warmup=10)
    np.testing.assert_allclose(got[:10], np.arange(1, 11) / 5, atol=1e-6)
    np.testing.assert_allclose(got[10:81], 2, atol=1e-6)
    np.testing.assert_allclose(got[80:], np.arange(20, -1, -1) / 10, atol=1e-5)


def test_wsd_ends_where_it_is_told_later():
    early, late = rates("wsd", 1000, warmup=10), rates("wsd", 100, warmup=10)
    # At update 80 the end is set to 100: nothing before changes.
    np.testing.assert_array_equal(early[:80], late[:80])
    assert late[-1] == 0


def test_wsd_survives_serialization():
    schedule = learning_rate("wsd", 2.0, warmup=10, updates=100)
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert again.get_config() == schedule.get_config()
