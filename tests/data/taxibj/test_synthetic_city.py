import json

import numpy as np
import pytest

from mim_tf.data.sets.taxibj_files import synthetic_city
from tests.taxibj_files import open_city


def test_commuters_cross_the_city_on_working_days():
    city = synthetic_city()
    assert city.data.dtype == np.float32
    assert np.array_equal(city.data, np.floor(city.data))
    days = city.data.reshape(8, 7, 48, 2, 32, 32)
    for flow in days[:, :5].mean(axis=(0, 1, 4, 5)).T:
        assert 13 <= flow[:24].argmax() <= 19
        assert 34 <= flow[24:].argmax() + 24 <= 41
        assert flow[:8].mean() < flow.max() / 20
    assert days[:, 5:].mean() < days[:, :5].mean() / 2
    assert np.abs(np.diff(days, axis=2)).mean() > 0.1 * days.mean()


def test_it_is_the_same_every_time():
    np.testing.assert_array_equal(synthetic_city().data, synthetic_city().data)


def test_it_goes_the_way_of_files():
    test = open_city([], "test", 8, taxibj_synthetic=True)
    assert (test.size, test.shape) == (1344, (8, 32, 32, 2))
    description = test.describe()
    assert json.loads(json.dumps(description)) == description
    assert description["source"] == "synthetic city, made up; not TaxiBJ"
    assert description["recordings"] == ["synthetic city"]


@pytest.mark.parametrize("total_length", [8, 48])
def test_it_is_long_enough_to_train_on(total_length):
    train = open_city([], "train", total_length, taxibj_synthetic=True, taxibj_split="clean")
    assert train.size > 700
    frames = train.sequences([0, train.size - 1])
    assert frames.min() >= 0
    assert frames.max() <= 1
