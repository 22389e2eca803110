"""Files and folders appear whole or not at all, and nothing of the user's is lost."""

import pytest

from mim_tf.errors import MimError
from mim_tf.storage.paths import check_free, written_whole


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "new folder" / "a.txt"
    with written_whole(path, ".txt") as part:
        assert part.suffix == ".txt"
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [each.name for each in path.parent.iterdir()] == ["a.txt"]


def test_so_does_a_folder(tmp_path):
    with written_whole(tmp_path / "made") as part:
        part.mkdir()
        (part / "a").touch()
    assert [each.name for each in (tmp_path / "made").iterdir()] == ["a"]


def test_what_exists_stays_unless_it_is_to_be_replaced(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(MimError, match=r"a exists already\. Remove it or give another --output"):
        check_free(path, "--output")
    with pytest.raises(MimError, match="exists already"), written_whole(path) as part:
        part.write_text("new")
    assert path.read_text() == "old"
    with written_whole(path, replace=True) as part:
        part.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("replace", [False, True])
def test_a_failure_leaves_nothing_and_changes_nothing(tmp_path, replace):
    path = tmp_path / "a"

    def interrupted():
        with written_whole(path, replace=replace) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (tmp_path / "file").touch()
    with pytest.raises(MimError, match="cannot be written"), written_whole(tmp_path / "file" / "a"):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
