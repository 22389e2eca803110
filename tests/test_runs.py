"""The folder of a run: one holder, whole files, and one sentence for what is damaged."""

import logging
import os
import shutil
import signal
import subprocess
import sys

import pytest

from mim_tf.errors import MimError
from mim_tf.runs.folder import check_no_run, has_state, held, last_run, pictures_folder
from mim_tf.runs.record import read_record
from mim_tf.storage.files import CsvLog, read_json

COLUMNS = ("iteration", "loss")
HOLDER = """
import sys, time
from pathlib import Path
from mim_tf.runs.folder import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100)
"""


def test_a_run_has_one_holder_until_it_is_killed(tmp_path):
    (tmp_path / ".writing-abc").mkdir()
    (tmp_path / "a.json.part").touch()
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        message = rf"trained by another process \(process {process.pid} on {os.uname().nodename}\)"
        with pytest.raises(MimError, match=message), held(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
    with held(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_the_newest_run_is_resumed_with_or_without_a_snapshot(tmp_path):
    assert last_run(tmp_path) is None
    for number, name in ((1, "training.state"), (2, "run.json"), (3, "other")):
        folder = tmp_path / f"run-00{number}"
        folder.mkdir()
        (folder / name).touch()
    assert last_run(tmp_path) == tmp_path / "run-002"
    assert has_state(tmp_path / "run-001")
    assert not has_state(tmp_path / "run-002")


def test_no_two_runs_share_a_folder_for_pictures(tmp_path):
    results, folders = tmp_path / "results", []
    for name in "ab":
        run = tmp_path / name / "run-001"
        run.mkdir(parents=True)
        folders.append(pictures_folder(run, results))
        assert pictures_folder(run, results).resolve() == folders[-1].resolve()
        assert pictures_folder(run, run.parent) == run / "pictures"
    assert folders == [results / "run-001", results / "run-001-001"]


def test_a_copy_of_a_run_has_pictures_of_its_own(tmp_path):
    run = tmp_path / "a" / "run-001"
    run.mkdir(parents=True)
    ours = pictures_folder(run, tmp_path / "results")
    copy = shutil.copytree(tmp_path / "a", tmp_path / "b") / "run-001"
    theirs = pictures_folder(copy, tmp_path / "results")
    assert theirs != ours
    assert pictures_folder(copy, tmp_path / "results").resolve() == theirs.resolve()
    assert pictures_folder(run, tmp_path / "results").resolve() == ours.resolve()


def test_a_run_is_no_folder_of_runs(tmp_path):
    check_no_run(tmp_path)
    (tmp_path / "run.json").touch()
    with pytest.raises(MimError, match=f"received the run .*Give --save_dir={tmp_path.parent}"):
        check_no_run(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1]", '{"model": 3}', '{"model": {"depth": 1}, "data": {}}', "\0", "[" * 9999],
)
def test_a_damaged_record_is_one_sentence(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(MimError, match=r"run\.json (is damaged|cannot be read)"):
        read_record(tmp_path)


def test_bytes_that_are_no_text_are_one_sentence(tmp_path):
    (tmp_path / "best.json").write_bytes(b"\xff\xfe")
    with pytest.raises(MimError, match=r"best\.json: expected .* cannot be read as UTF-8"):
        read_json(tmp_path / "best.json")


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"iteration,loss\r\n1,0.5\r\n2,0.25\r\n", ["1,0.5", "2,0.25"]),
        (b"iteration,loss\r\n1,0.5\r\n2,nan\r\n3\r\n", ["1,0.5"]),
        (b"iter\xff,loss\r\n1,0.5\r\n\xff\x00,7\r\n2,0.25,8\r\n", ["1,0.5"]),
        (b"iteration,loss\r\n1,0.5\r\n2,0.2", ["1,0.5"]),
        (b"", []),
    ],
)
def test_a_log_keeps_its_good_rows(tmp_path, content, rows):
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    log = CsvLog(path, COLUMNS, last_iteration=9)
    log.append([10, 0.125])
    assert path.read_text().split() == ["iteration,loss", *rows, "10,0.125"]
    last = [float(cell) for cell in rows[-1].split(",")] if rows else []
    assert log.last == dict(zip(COLUMNS, last, strict=False))


def test_a_log_of_an_earlier_version_goes_on_with_its_columns(tmp_path, caplog):
    path = tmp_path / "train.csv"
    path.write_bytes(b"iteration,loss\r\n1,0.5\r\n")
    log = CsvLog(path, [*COLUMNS, "seconds"], last_iteration=9)
    log.append([2, 0.25, 7.0])
    assert path.read_text().split() == ["iteration,loss", "1,0.5", "2,0.25"]
    assert log.last == {"iteration": 1, "loss": 0.5}
    assert not caplog.records


@pytest.mark.parametrize("content", [b"iteration,loss\r\nx\r\n", b"iteration,loss\n1,2.0\n2,1.5"])
def test_a_damaged_log_is_kept_and_named(tmp_path, caplog, content):
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "absl"):
        CsvLog(path, COLUMNS, last_iteration=9)
    assert "train.csv is damaged" in caplog.text
    assert (tmp_path / "train.csv.damaged").read_bytes() == content
