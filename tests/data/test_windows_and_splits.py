"""Sources, windows of recordings, and the division of recordings into splits."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import ArraySource
from mim_tf.data.source import SequenceSource, WindowSource, WrappedSource, describe_splits
from mim_tf.data.split import Selection, divide, split_paths, split_recordings
from mim_tf.errors import MimError
from tests.small_sources import Frames

NAMES = [f"event-{number:02d}" for number in range(20)]


def test_a_wrapped_source_has_all_that_its_source_has():
    other = ArraySource(np.zeros((3, 2, 4, 4)))
    for name in SequenceSource.__annotations__:
        setattr(other, name, name)
    other.groups = lambda indices: np.asarray(indices) // 2
    source = WrappedSource(other)
    for name in SequenceSource.__annotations__:
        assert getattr(source, name) == name
    assert source.groups([0, 1, 2]).tolist() == [0, 0, 1]


def counting(number, length, **pace):
    """Frame t is all 100 number + t."""
    levels = (100 * number + np.arange(length)).reshape(-1, 1, 1, 1)
    return Frames(np.broadcast_to(levels, (length, 2, 3, 1)), f"recording {number}", **pace)


@pytest.mark.parametrize(
    ("lengths", "settings", "expected"),
    [
        ([4, 2, 3], {"total_length": 3}, [[0, 1, 2], [1, 2, 3], [200, 201, 202]]),
        ([9], {"total_length": 2, "stride": 3, "interval": 4}, [[0, 4], [3, 7]]),
        (
            [9, 9],
            {"total_length": 2, "interval": 2, "starts": [(1, 3), (0, 6)]},
            [[103, 105], [6, 8]],
        ),
    ],
)
def test_windows_are_within_recordings(lengths, settings, expected):
    recordings = [counting(number, length) for number, length in enumerate(lengths)]
    windows = WindowSource(recordings, (2, 3, 1), **settings)
    assert (windows.size, windows.shape) == (len(expected), (len(expected[0]), 2, 3, 1))
    for indices in (range(len(expected)), [1, 0]):
        got = windows.sequences(indices)[:, :, 0, 0, 0].tolist()
        assert got == [expected[i] for i in indices]
    assert windows.sequences([]).shape == (0, *windows.shape)
    used = [r.frames[frames, 0, 0, 0] for r, frames in windows.frames_in_windows()]
    assert set(np.concatenate(used)) == set(itertools.chain(*expected))
    assert len(used) == len(lengths)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0, 1, 4, 5]),
        ({"stride": 3}, [0, 4]),  # each stretch starts anew
        ({"interval": 2, "total_length": 2}, [0, 1, 4, 5]),
        ({"starts": [(0, start) for start in (5, 3, 2, 1)]}, [5, 1]),
        ({"part": (0.5, 1.0)}, [4, 5]),
    ],
)
def test_no_window_crosses_a_hole_in_time(settings, expected):
    hollow = counting(0, 8, holes=(4,))
    windows = WindowSource([hollow], (2, 3, 1), **{"total_length": 3} | settings)
    assert windows.sequences(range(windows.size))[:, 0, 0, 0, 0].tolist() == expected
    assert windows.describe()["gaps_in_time"] == 1
    assert "1 gaps in time" in describe_splits({"train": windows})


@pytest.mark.parametrize("part", [(0.0, 1.0), (0.0, 0.9)])
def test_a_gap_can_leave_no_window(part):
    with pytest.raises(MimError, match=r"at least 5 frames without a gap .* 4"):
        WindowSource([counting(0, 8, holes=(4,))], (2, 3, 1), 5, part=part)


@pytest.mark.parametrize(
    ("steps", "logged"),
    [
        ([1 / 25, 1 / 25, 1 / 50], ["50 frames a second in recording 2", "25 frames a second in"]),
        ([300, 600], ["a frame every 300 seconds", "a frame every 600 seconds"]),
        ([0.04, np.nan, np.nan], ["recording 1 and 1 more: expected frames equally far apart"]),
        ([1 / 30, 1.001 / 30, 0], []),  # 29.97 a second counts as 30
    ],
)
def test_other_frame_rates_are_logged(steps, logged, caplog):
    recordings = [counting(n, 3, step=step) for n, step in enumerate(steps)]
    WindowSource(recordings, (2, 3, 1), 2)
    assert len(caplog.records) == bool(logged)
    assert all(text in caplog.text for text in logged)


def test_the_step_of_recordings_is_kept():
    recordings = [counting(n, 3, step=step) for n, step in enumerate((1 / 30, 1.001 / 30))]
    assert WindowSource(recordings, (2, 3, 1), 2, interval=2).frame_step == "0.0667 seconds"


def divided(names=NAMES, **settings):
    data = DataConfig(**settings)
    return {split: divide(names, data, split) for split in ("train", "valid", "test")}


@settings(max_examples=50, deadline=None)
@given(count=st.integers(3, 60), seed=st.integers(0, 9), fraction=st.sampled_from([0.05, 0.1, 0.3]))
def test_every_recording_is_in_one_split_in_its_order(count, seed, fraction):
    names = [f"event-{number:02d}" for number in range(count)]
    shares = {"valid_fraction": fraction, "test_fraction": 0.25, "data_seed": seed}
    splits = divided(names, **shares)
    sizes = [max(1, round(count * share)) for share in (fraction, 0.25)]
    assert [len(splits[split]) for split in ("valid", "test")] == sizes
    assert sorted(itertools.chain(*splits.values())) == names
    assert all(part == sorted(part) for part in splits.values())
    assert divided(names, **shares) == splits
    assert divide(names, DataConfig(), "all") == names
    if count > 20:
        assert divided(names, **shares | {"data_seed": seed + 10}) != splits


@pytest.mark.parametrize(("names", "fraction"), [(["a", "b"], 0.1), (NAMES, 0.49)])
def test_too_few_recordings_are_refused(names, fraction):
    with pytest.raises(MimError, match="train_data_paths"):
        divided(names, valid_fraction=fraction, test_fraction=fraction)


@pytest.mark.parametrize(
    ("train", "valid"), [("a", ""), ("", "a"), ("a", "a"), ("a", "./a"), ("a,./a", "b/../a")]
)
def test_one_path_is_shared_by_all_splits(train, valid):
    data = DataConfig(train_data_paths=train, valid_data_paths=valid)
    for split in ("train", "valid", "test"):
        assert split_paths(data, split) == ([Path("a")], True)


def test_two_paths_are_for_training_and_for_the_others():
    both = DataConfig(train_data_paths="a, b", valid_data_paths="c,c")
    assert split_paths(both, "train") == ([Path("a"), Path("b")], False)
    assert split_paths(both, "valid") == split_paths(both, "test") == ([Path("c")], False)
    with pytest.raises(MimError, match="b in both"):
        split_paths(DataConfig(train_data_paths="a,b", valid_data_paths="c,./b"), "test")


def test_a_selection_is_the_source_at_other_indices():
    source = ArraySource(np.arange(5 * 2).reshape(5, 2, 1, 1, 1) / 10)
    chosen = Selection(source, [1, 4])
    assert (chosen.size, chosen.shape) == (2, (2, 1, 1, 1))
    np.testing.assert_array_equal(chosen.sequences([1, 0]), source.sequences([4, 1]))
    assert chosen.describe() == source.describe() | {"sequences": 2, "selected_from": 5}


def test_recordings_without_a_window_are_told_and_not_described(caplog):
    recordings = [Frames(np.zeros((n, 4, 4, 1)), f"r{n}") for n in (10, 3, 8)]
    source = WindowSource(recordings, (4, 4, 1), 5)
    assert source.describe()["recordings"] == ["r10", "r8"]
    assert "1 of 3 recordings are not used, such as r3" in caplog.text


def test_a_recording_named_twice_counts_once(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    paths = f"{tmp_path / 'a'},{tmp_path / 'link'},{tmp_path / 'b'}"
    data = DataConfig("folder", tmp_path / "c", paths)
    found, _ = split_recordings(lambda path: [path], data, "valid")
    assert [path.name for path in found] == ["a", "b"]
