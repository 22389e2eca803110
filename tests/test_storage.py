"""Paths of users, atomic files, JSON, CSV, HDF5 and the folders of runs."""

import logging
import os
import shutil
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest

from mim_tf.data.sets.grid.files import open_datasets
from mim_tf.errors import MimError
from mim_tf.runs.folder import (
    check_no_run,
    has_state,
    held,
    last_run,
    new_run_folder,
    pictures_folder,
)
from mim_tf.runs.record import read_record
from mim_tf.storage.containers import check_hdf5, opened_hdf5
from mim_tf.storage.files import CsvLog, read_json
from mim_tf.storage.paths import (
    at_home,
    check_free,
    list_folder,
    open_file,
    opened,
    read_text,
    walk,
    written_whole,
)
from tests.grid_files import dataset, write

COLUMNS = ("iteration", "loss")


@pytest.fixture
def a_map(tmp_path):
    path = tmp_path / "a.map"
    path.write_bytes(b"north")
    return path


@pytest.mark.parametrize("kind", [ValueError, OSError, IndexError, MemoryError])
def test_any_error_while_a_file_is_read_names_the_file(a_map, kind):
    with pytest.raises(MimError) as caught, opened(a_map, "a map", form="GeoTIFF"):
        raise kind("it ends early")
    for part in (str(a_map), "a map", "GeoTIFF", "it ends early"):
        assert part in str(caught.value)
    assert caught.value.__suppress_context__


NOT_FILES = {
    "folder": lambda path: path.mkdir(),
    "named pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "symbolic links": lambda path: path.symlink_to(path),
    "no such file": lambda path: path.symlink_to("nothing"),
}


@pytest.mark.parametrize("kind", NOT_FILES)
def test_what_is_not_a_file_is_named_and_not_waited_for(tmp_path, kind):
    path = tmp_path / "a.map"
    NOT_FILES[kind](path)
    with pytest.raises(MimError, match=f"a.map: .*{kind}"):
        open_file(path, "a map")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
@pytest.mark.parametrize("open_it", [open_file, list_folder, lambda path: list(walk(path))])
def test_impossible_names_are_refused(tmp_path, name, open_it):
    with pytest.raises(MimError, match="cannot be opened"):
        open_it(f"{tmp_path}/{name}")


def test_text_of_another_encoding_is_refused(a_map):
    a_map.write_bytes(b"gr\xfc\xdfe")
    with pytest.raises(MimError, match=r"a\.map"):
        read_text(a_map)


def test_folders_are_listed_in_order_and_loops_of_links_end(tmp_path):
    for name in ("b", "a", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
        for link in ("x", "y", "z"):
            (tmp_path / name / link).symlink_to(tmp_path)
    assert [path.name for path in list_folder(tmp_path)] == ["a", "b", "c"]
    found = [(folder.name, names) for folder, names in walk(tmp_path)]
    assert found == [(tmp_path.name, []), *((name, ["file"]) for name in "abc")]
    with pytest.raises(MimError, match="file"):
        list_folder(tmp_path / "a" / "file")


NOT_FINITE = ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}']


@pytest.mark.parametrize("text", [*NOT_FINITE, "[" * 10**5, "", "1" * 5000, "\0", "[1]", "{"])
def test_corrupted_json_is_named(tmp_path, text):
    (tmp_path / "best.json").write_text(text)
    with pytest.raises(MimError, match=r"best\.json"):
        read_json(tmp_path / "best.json")


def test_files_and_folders_appear_when_they_are_complete(tmp_path):
    path = tmp_path / "new folder" / "a.txt"
    with written_whole(path, ".txt") as part:
        assert part.suffix == ".txt"
        part.write_text("whole")
        assert not path.exists()
    with written_whole(path.parent / "made") as part:
        part.mkdir()
        (part / "a").touch()
    assert path.read_text() == "whole"
    assert sorted(each.name for each in path.parent.rglob("*")) == ["a", "a.txt", "made"]


def test_an_existing_file_is_kept_unless_it_may_be_replaced(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(MimError, match="another --output"):
        check_free(path, "--output")
    with pytest.raises(MimError, match="a exists"), written_whole(path) as part:
        part.write_text("new")
    assert path.read_text() == "old"
    with written_whole(path, replace=True) as part:
        part.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["x" * 256, "a\0b"])
def test_a_name_that_no_file_can_have_is_not_free(tmp_path, name):
    with pytest.raises(MimError, match="another --output"):
        check_free(tmp_path / name, "--output")


def test_a_folder_replaces_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()
    with written_whole(tmp_path / "a", replace=True) as part:
        part.mkdir()
        (part / "new").touch()
    assert [each.name for each in tmp_path.rglob("*")] == ["a", "new"]


@pytest.mark.parametrize("replace", [False, True])
def test_a_failed_write_leaves_nothing(tmp_path, replace):
    def interrupted():
        with written_whole(tmp_path / "a", replace=replace) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (tmp_path / "file").touch()
    with pytest.raises(MimError, match="file"), written_whole(tmp_path / "file" / "a"):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def zero(path, place, size):
    content = bytearray(path.read_bytes())
    content[place : place + size] = bytes(size)
    path.write_bytes(content)


def test_an_hdf5_heap_of_zeros_is_refused(tmp_path):
    """HDF5 would read it for ever."""
    fields = write(tmp_path / "t2m.nc", dataset())
    check_hdf5(fields)
    zero(fields, fields.read_bytes().index(b"GCOL") + 32, 200)
    for read in (check_hdf5, open_datasets):
        with pytest.raises(MimError, match="t2m"):
            read(fields)


def test_a_heap_at_the_end_of_a_large_file_is_checked(tmp_path):
    path = tmp_path / "large.h5"
    with h5py.File(path, "w") as file:
        file["values"] = np.zeros(5 * 2**20, np.uint8)
        file["name"] = "of any length"
    place = path.read_bytes().index(b"GCOL")
    assert place > 4 * 2**20
    with opened_hdf5(path, "names") as file:
        assert file["name"][()] == b"of any length"
    zero(path, place + 16, 16)
    with pytest.raises(MimError, match="zeros"), opened_hdf5(path, "names"):
        pass


@pytest.mark.parametrize(
    ("content", "rows", "is_damaged"),
    [
        (b"iteration,loss\r\n1,0.5\r\n2,0.25\r\n", ["1,0.5", "2,0.25"], False),
        (b"iteration,loss\r\n1,0.5\r\n2,nan\r\n3\r\n", ["1,0.5"], True),
        (b"iter\xff,loss\r\n1,0.5\r\n\xff\x00,7\r\n2,0.25,8\r\n", ["1,0.5"], True),
        (b"iteration,loss\n1,0.5\n2,1.5", ["1,0.5"], True),
        (b"", [], True),
    ],
)
def test_a_log_keeps_its_good_rows_and_a_copy(tmp_path, caplog, content, rows, is_damaged):
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "absl"):
        log = CsvLog(path, COLUMNS, last_iteration=9)
    log.append([10, 0.125])
    assert path.read_text().split() == ["iteration,loss", *rows, "10,0.125"]
    last = [float(cell) for cell in rows[-1].split(",")] if rows else []
    assert log.last == dict(zip(COLUMNS, last, strict=False))
    assert ("train.csv" in caplog.text) == is_damaged
    copy = tmp_path / "train.csv.damaged"
    assert (copy.read_bytes() == content) if is_damaged else not copy.exists()


def test_a_log_of_an_earlier_version_continues_with_its_columns(tmp_path, caplog):
    path = tmp_path / "train.csv"
    path.write_bytes(b"iteration,loss\r\n1,0.5\r\n")
    CsvLog(path, [*COLUMNS, "seconds"], last_iteration=9).append([2, 0.25, 7.0])
    assert path.read_text().split() == ["iteration,loss", "1,0.5", "2,0.25"]
    assert not caplog.records


HOLDER = """
import sys, time
from pathlib import Path
from mim_tf.runs.folder import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100)
"""


def test_a_run_is_locked_until_its_process_is_killed(tmp_path):
    (tmp_path / ".writing-abc").mkdir()
    (tmp_path / "notes.part").touch()  # of the user
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        holder = rf"process {process.pid} on {os.uname().nodename}"
        with pytest.raises(MimError, match=holder), held(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
    with held(tmp_path):
        assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "notes.part"]


@pytest.mark.parametrize("is_link", [True, False])
def test_a_lock_is_a_file_of_the_run(tmp_path, is_link):
    other = tmp_path / "other"
    other.write_text("of somebody else")
    run = tmp_path / "run-001"
    run.mkdir()
    if is_link:
        (run / "lock").symlink_to(other)
    else:
        os.mkfifo(run / "lock")
    with pytest.raises(MimError, match="lock"), held(run):
        pass
    assert other.read_text() == "of somebody else"


def test_a_damaged_log_is_not_copied_through_a_link(tmp_path):
    other = tmp_path / "other"
    other.write_text("of somebody else")
    (tmp_path / "train.csv").write_text("damaged")
    (tmp_path / "train.csv.damaged").symlink_to(other)
    CsvLog(tmp_path / "train.csv", COLUMNS, last_iteration=9)
    assert other.read_text() == "of somebody else"
    assert (tmp_path / "train.csv.damaged").read_text() == "damaged"


def test_names_with_special_characters_are_numbered(tmp_path):
    for number in (1, 2):
        assert new_run_folder(tmp_path, "a[b](c").name == f"a[b](c-00{number}"


def test_the_newest_run_is_resumed_with_or_without_a_state(tmp_path):
    assert last_run(tmp_path) is None
    for number, name in ((1, "training.state"), (2, "run.json"), (3, "other")):
        folder = tmp_path / f"run-00{number}"
        folder.mkdir()
        (folder / name).touch()
    assert last_run(tmp_path) == tmp_path / "run-002"
    assert [has_state(tmp_path / f"run-00{number}") for number in (1, 2)] == [True, False]
    check_no_run(tmp_path)
    with pytest.raises(MimError, match=f"--save_dir={tmp_path}"):
        check_no_run(tmp_path / "run-002")


def test_no_two_runs_and_no_copy_share_a_folder_for_pictures(tmp_path):
    results, folders = tmp_path / "results", []
    (tmp_path / "a" / "run-001").mkdir(parents=True)
    (tmp_path / "b" / "run-001").mkdir(parents=True)
    for name in "abc":
        if name == "c":
            shutil.copytree(tmp_path / "a", tmp_path / "c")
        run = tmp_path / name / "run-001"
        folders.append(pictures_folder(run, results).resolve())
        assert pictures_folder(run, results).resolve() == folders[-1]
        assert pictures_folder(run, run.parent) == run / "pictures"
    assert len(set(folders)) == 3
    assert {folder.parent for folder in folders} == {results}


@pytest.mark.parametrize("text", ["", '{"model": 3}', '{"model": {"depth": 1}, "data": {}}'])
def test_a_corrupted_record_is_named(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(MimError, match=r"run\.json"):
        read_record(tmp_path)


def test_the_home_folder_alone_is_found():
    assert at_home("~") == os.path.expanduser("~")
    assert at_home("a,~, ~/b") == f"a,{os.path.expanduser('~')}, {os.path.expanduser('~/b')}"
    assert at_home("a~,~c") == "a~,~c"
