import numpy as np
import pytest

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import ArraySource
from mim_tf.errors import MimError
from mim_tf.training.devices import check_overlap

TWO_PATHS = DataConfig(dataset="array", train_data_paths="a.npy", valid_data_paths="b.npy")


def source(*values):
    frames = np.zeros((len(values), 2, 2, 2, 1), np.float32)
    frames[:, 1] = np.array(values).reshape(-1, 1, 1, 1)
    return ArraySource(frames)


def test_a_sequence_in_both_is_refused():
    with pytest.raises(MimError, match="Sequence 1 to validate on is sequence 0 to train on"):
        check_overlap(source(0.5, 0.25), source(0.75, 0.5), TWO_PATHS)


def test_others_are_not_nor_are_empty_ones():
    check_overlap(source(0.5, 0.25, 0), source(0.75, 0), TWO_PATHS)


@pytest.mark.parametrize("valid", ["", "a.npy"])
def test_copies_in_a_set_that_is_divided_are_a_warning(valid, caplog):
    data = DataConfig(dataset="array", train_data_paths="a.npy", valid_data_paths=valid)
    with caplog.at_level("WARNING"):
        check_overlap(source(0.5, 0.25), source(0.75, 0.5), data)
    assert "Sequence 1 to validate on is sequence 0 to train on" in caplog.text
