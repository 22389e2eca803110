import itertools
from pathlib import Path

import numpy as np
import pytest

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import ArraySource
from mim_tf.data.split import Selection, divide, split_paths
from mim_tf.errors import MimError

NAMES = [f"event-{number:02d}" for number in range(20)]


class Gappy(ArraySource):
    has_missing = True


def divided(names=NAMES, **settings):
    data = DataConfig(**settings)
    return {split: divide(names, data, split) for split in ("train", "valid", "test")}


def test_every_recording_is_in_one_split():
    splits = divided(valid_fraction=0.1, test_fraction=0.25)
    assert [len(splits[split]) for split in ("train", "valid", "test")] == [13, 2, 5]
    assert sorted(itertools.chain(*splits.values())) == NAMES


def test_the_split_follows_the_seed():
    assert divided() == divided() != divided(data_seed=1)


def test_small_sets_have_one_of_each():
    assert [len(names) for names in divided(["a", "b", "c"]).values()] == [1, 1, 1]


@pytest.mark.parametrize(("names", "fraction"), [(["a", "b"], 0.1), (NAMES, 0.49)])
def test_too_few_recordings_are_refused(names, fraction):
    with pytest.raises(MimError, match=f"received {len(names)} .*train_data_paths"):
        divided(names, valid_fraction=fraction, test_fraction=fraction)


def test_a_whole_set_stays_whole():
    assert divide(NAMES[:2], DataConfig(), "all") == NAMES[:2]


def test_paths_of_a_split():
    both = DataConfig(train_data_paths="a, b", valid_data_paths="c,c")
    assert split_paths(both, "train") == ([Path("a"), Path("b")], False)
    assert split_paths(both, "valid") == split_paths(both, "test") == ([Path("c")] * 2, False)


@pytest.mark.parametrize(
    ("train", "valid"), [("a", ""), ("", "a"), ("a", "a"), ("a", "./a"), ("a,./a", "b/../a")]
)
def test_one_path_is_shared_by_all_splits(train, valid):
    data = DataConfig(train_data_paths=train, valid_data_paths=valid)
    for split in ("train", "valid", "test"):
        assert split_paths(data, split) == ([Path("a")], True)


def test_paths_that_are_the_same_in_part_are_refused():
    data = DataConfig(train_data_paths="a,b", valid_data_paths="c,./b")
    with pytest.raises(MimError, match=r"both have b\. Leave it out"):
        split_paths(data, "test")


def test_a_selection_is_the_source_at_other_indices():
    source = Gappy(np.arange(5 * 2).reshape(5, 2, 1, 1, 1) / 10)
    chosen = Selection(source, [1, 4])
    assert (chosen.size, chosen.shape, chosen.has_missing) == (2, (2, 1, 1, 1), True)
    np.testing.assert_array_equal(chosen.sequences([1, 0]), source.sequences([4, 1]))
    assert chosen.describe() == source.describe() | {"sequences": 2, "selected_from": 5}
