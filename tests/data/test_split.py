import itertools
from pathlib import Path

import pytest

from mim_tf.config import DataConfig
from mim_tf.data.split import split_paths, split_recordings
from mim_tf.errors import MimError

NAMES = [f"event-{number:02d}" for number in range(20)]


def divided(names=NAMES, **settings):
    data = DataConfig(**settings)
    return {split: split_recordings(names, data, split) for split in ("train", "valid", "test")}


def test_every_recording_is_in_one_split():
    splits = divided(valid_fraction=0.1, test_fraction=0.25)
    assert [len(splits[split]) for split in ("train", "valid", "test")] == [13, 2, 5]
    assert sorted(itertools.chain(*splits.values())) == NAMES


def test_the_split_follows_the_seed():
    assert divided() == divided() != divided(data_seed=1)


def test_small_sets_have_one_of_each():
    assert [len(names) for names in divided(["a", "b", "c"]).values()] == [1, 1, 1]


@pytest.mark.parametrize(("names", "fraction"), [(["a", "b"], 0.1), (NAMES, 0.6)])
def test_too_few_recordings_are_refused(names, fraction):
    with pytest.raises(MimError, match=f"received {len(names)} .*train_data_paths"):
        divided(names, valid_fraction=fraction, test_fraction=fraction)


def test_paths_of_a_split():
    both = DataConfig(train_data_paths="a, b", valid_data_paths="c")
    assert split_paths(both, "train") == ([Path("a"), Path("b")], False)
    assert split_paths(both, "valid") == split_paths(both, "test") == ([Path("c")], False)


@pytest.mark.parametrize(("train", "valid"), [("a", ""), ("", "a"), ("a", "a")])
def test_one_path_is_shared_by_all_splits(train, valid):
    data = DataConfig(train_data_paths=train, valid_data_paths=valid)
    for split in ("train", "valid", "test"):
        assert split_paths(data, split) == ([Path("a")], True)
