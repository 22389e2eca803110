import numpy as np
import pytest

from mim_tf.data.files.arrays import ArraySource
from mim_tf.evaluation.pictures import choose_samples, load_samples


def test_median_and_ends_are_found_and_undefined_errors_are_neither():
    index, kind = choose_samples(np.array([3.0, np.nan, 1.0, 9.0, 5.0, 7.0]))
    assert index.tolist() == [0, 1, 2, 3, 2, 4, 3]
    assert kind == ["first"] * 4 + ["best", "median", "worst"]


@pytest.mark.parametrize("errors", [[2.0], [np.nan, np.nan]])
def test_few_sequences(errors):
    index, kind = choose_samples(np.array(errors))
    assert kind[: len(errors)] == ["first"] * len(errors)
    assert index.max() == len(errors) - 1
    assert len(index) == (4 if len(errors) == 1 else 2)


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_only_batches_of_one_size_are_predicted(batch_size):
    sizes = []

    def forecast(frames):
        sizes.append(len(frames))
        return frames[:, 2:]

    frames = np.arange(9, dtype=np.uint8)[:, None, None, None, None] * np.ones((3, 2, 2, 1), "u1")
    samples = load_samples(np.arange(9.0), ArraySource(frames), np.arange(9), forecast, batch_size)
    assert set(sizes) == {batch_size}
    assert samples["index"].tolist() == [0, 1, 2, 3, 0, 4, 8]
    np.testing.assert_array_equal(samples["truth"][:, 0, 0, 0, 0], samples["index"])
    assert samples["forecast"].shape == (7, 1, 2, 2, 1)
    assert "missing" not in samples
