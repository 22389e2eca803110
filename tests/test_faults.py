"""Corrupted files, killed processes and full disks: an error or a warning, and nothing is lost."""

import gc
import logging
import os
import re
import subprocess
import sys

import imageio.v3 as imageio
import numpy as np
import pytest

import mim_tf
from mim_tf.data.sets.grid.grid import Grid
from mim_tf.errors import MimError
from mim_tf.evaluation.forget_gates import draw
from mim_tf.evaluation.pictures import save_sample
from mim_tf.evaluation.stored import write_scores
from mim_tf.prediction.outputs import ForecastOrigin, Output
from mim_tf.storage.files import CsvLog, write_json
from mim_tf.training.callbacks import Events, Snapshots
from mim_tf.training.state import load_state, save_state
from mim_tf.weights import save_weights
from tests import grid_files
from tools.faults.lives import NoDiskError, fill, small_disk
from tools.faults.readers import READERS

FRAMES = np.random.default_rng(0).random((20, 64, 64, 1), np.float32)


def run(module, *arguments):
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=1200)


@pytest.mark.parametrize("share", [0, 0.5])
@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if reader.unit])
def test_empty_and_truncated_frames_are_refused(tmp_path, name, share):
    reader = READERS[name]
    if share and not reader.ends:
        pytest.skip("this format does not mark its end")
    path = reader.make(tmp_path)
    for file in tmp_path.rglob("*"):
        if file.is_file():
            os.truncate(file, int(share * file.stat().st_size))
    with pytest.raises(MimError, match=re.escape(str(tmp_path))):
        reader.read(path)


@pytest.mark.slow
def test_corrupted_files_are_rejected():
    """One case or two for each of the 52 readers."""
    done = run("tools.faults", "--cases=60")
    assert done.returncode == 0, done.stdout
    *_, total, _ = done.stdout.splitlines()
    assert total.split()[:2] == ["all", "60"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "arguments", "words"),
    [
        ("pages", ["--cases=8"], "made"),
        ("kill_resume", ["--kills=1"], "1 kills, 0 crashes, 0 traces, .*different: nothing"),
        ("kill_resume", ["--full_disk", "--kills=1", "--seed=1"], "1 kills, 0 crashes, 0 traces"),
        ("soak", ["--updates=2", "--predictions=3"], "3 predictions"),
    ],
)
def test_programs_of_the_reliability_page(program, arguments, words):
    done = run(f"tools.faults.{program}", *arguments)
    if "Not tried" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert re.search(words, done.stdout)
    assert "Traceback" not in done.stderr


@pytest.fixture
def disk(tmp_path):
    try:
        with small_disk(tmp_path / "disk", 2) as disk:
            yield disk
    except NoDiskError as error:
        pytest.skip(str(error))


def names(disk):
    return {str(path.relative_to(disk)) for path in disk.rglob("*")} - {"filling"}


@pytest.mark.parametrize("left", [4096, 50_000])
def test_weights_and_state_stay_as_they_were(disk, tiny_model, left):
    path = disk / "a.weights.h5"
    tiny_model.compile("sgd")
    save_weights(tiny_model, path)
    save_state(tiny_model, disk)
    before = path.read_bytes()
    assert len(before) > left
    room = fill(disk, left)
    for save, place in ((save_weights, path), (save_state, disk)):
        with pytest.raises(OSError, match="No space left"):
            save(tiny_model, place)
    assert path.read_bytes() == before
    load_state(tiny_model, disk)
    assert names(disk) == {"a.weights.h5", "training.state"}
    room.unlink()
    save_weights(tiny_model, path)


def test_rows_of_a_log_wait_until_there_is_room(disk, caplog):
    path = disk / "train.csv"
    log = CsvLog(path, ("iteration", "loss"), 0)
    room = fill(disk)
    wide = "1" * 5000
    with caplog.at_level(logging.WARNING, "absl"):
        for iteration in (1, 2):
            log.append([iteration, wide])
        assert path.read_text() == "iteration,loss\n"
        room.unlink()
        log.append([3, wide])
    assert path.read_text().split() == ["iteration,loss", *(f"{i},{wide}" for i in (1, 2, 3))]
    failed, complete = [record.message for record in caplog.records]
    assert "No space left" in failed
    assert str(path) in failed
    assert str(path) in complete


def test_events_that_cannot_be_written_are_one_warning(disk, caplog):
    events = Events(disk, 0)
    fill(disk)
    with caplog.at_level(logging.WARNING, "absl"):
        for iteration in range(500):
            events.add_scalar("loss", 1.0, iteration)
        events.add_image("sample", np.zeros((64, 64, 3), np.uint8), 500)
        events.close()
    (record,) = caplog.records
    assert "TensorBoard" in record.message


@pytest.mark.parametrize("left", [0, 4096])
@pytest.mark.parametrize("name", ["a.npy", "a.gif", "a.mp4", "images", "a.nc", "a.zarr"])
def test_a_prediction_is_complete_or_not_there(disk, name, left, tmp_path, capfd):
    form, origin, frames = name.partition(".")[2] or "images", None, FRAMES
    if form in ("nc", "zarr"):
        grid = Grid([grid_files.write(tmp_path / "in.nc", grid_files.dataset())])
        origin = ForecastOrigin(grid, np.arange(5), "weights", grid.step)
        frames = FRAMES[:, : grid.frame_shape[0], : grid.frame_shape[1]].repeat(2, axis=-1)
    fill(disk, left)
    with pytest.raises(MimError, match=name) as caught:
        Output(disk / name, form).write(frames, origin=origin)
    assert "\n" not in str(caught.value)
    assert names(disk) == set()
    # Libraries that leave a file open fail again when it is collected, and print it.
    caught = None
    gc.collect()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "write",
    [
        lambda disk: save_sample(disk / "1", FRAMES, FRAMES[10:], 10),
        lambda disk: write_scores(
            disk, {"mean": {}, "per_frame": {}, "samples": {"truth": FRAMES}}, 10
        ),
        lambda disk: write_json(disk / "run.json", {"a": "b" * 9000}),
        lambda disk: draw(disk / "inside.png", {"saturation": {}, "norms": {}}, 2, "title"),
    ],
)
def test_scores_and_pictures_raise_an_error_of_the_system(disk, write):
    """Training turns it into a warning, and a command into its own error."""
    fill(disk, 8192)
    with pytest.raises(OSError, match="No space left"):
        write(disk)
    assert "scores.json" not in names(disk)
    for path in disk.rglob("*.png"):
        assert imageio.imread(path).shape == (64, 64), path


@pytest.mark.slow
def test_a_command_ends_with_an_error(disk):
    data = disk.parent / "frames.npy"
    np.save(data, np.uint8(FRAMES[None] * 255))
    fill(disk, 4096)
    sheet = disk / "sheet.png"
    done = run("mim_tf", "inspect", str(data), "--dataset=array", f"--output={sheet}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: {sheet} ")
    assert "Traceback" not in done.stderr
    assert names(disk) == set()


def test_the_last_snapshot_of_a_training_is_an_error(tmp_path, caplog):
    class Full(Snapshots):
        full = True

        def _save(self, iteration):
            if self.full:
                raise OSError(28, "No space left on device")
            self.saved = iteration

    config = mim_tf.TrainingConfig(snapshot_interval=20, max_iterations=100)
    snapshots = Full(config, 0, tmp_path, None)
    for iteration in range(1, 27):
        snapshots.full = iteration < 24
        snapshots.on_iteration(iteration, {})
    assert len(caplog.records) == 2  # at 20 and 22
    assert snapshots.saved == 24
    snapshots.full = True
    with pytest.raises(MimError, match=r"26.* 24 .*--resume"):
        snapshots.on_train_end()
