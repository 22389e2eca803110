import numpy as np
import pytest
from scipy import stats

from mim_tf.evaluation import statistics as bootstrap


def test_interval_agrees_with_scipy():
    values = np.random.default_rng(3).gamma(2, size=60)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert bootstrap.mean_interval(values) == pytest.approx([*expected], rel=0.03)


def test_every_resample_has_as_many_sequences_whatever_is_in_memory(monkeypatch):
    whole = np.concatenate(list(bootstrap.resampling_counts(50)))
    assert whole.shape == (bootstrap.RESAMPLES, 50)
    assert (whole.sum(axis=1) == 50).all()
    # Every sequence comes as often as any other, about.
    assert whole.mean(axis=0) == pytest.approx(np.ones(50), abs=0.1)
    monkeypatch.setattr(bootstrap, "LARGEST_PART", 999)
    parts = list(bootstrap.resampling_counts(50))
    assert len(parts) > 100
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_equal_values_have_an_interval_of_no_width():
    assert bootstrap.mean_interval(np.full(5, 0.25)) == [0.25, 0.25]


@pytest.mark.parametrize("values", [[], [1.0]])
def test_fewer_than_two_values_have_none(values):
    assert bootstrap.mean_interval(np.array(values)) is None
