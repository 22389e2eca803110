"""What is written to a full disk: an error or a warning, and nothing that was there is lost."""

import logging
import subprocess
import sys

import numpy as np
import pytest

import mim_tf
from mim_tf.errors import MimError
from mim_tf.evaluation.pictures import save_sample
from mim_tf.evaluation.stored import write_scores
from mim_tf.prediction.outputs import Output
from mim_tf.storage.files import CsvLog, write_json
from mim_tf.training.callbacks import Events
from mim_tf.training.state import load_state, save_state
from mim_tf.weights import save_weights
from tests.faults.small_disk import NoDiskError, fill, small_disk

FRAMES = np.random.default_rng(0).random((20, 64, 64, 1), np.float32)


@pytest.fixture
def disk(tmp_path):
    try:
        with small_disk(tmp_path / "disk", 2) as disk:
            yield disk
    except NoDiskError as error:
        pytest.skip(str(error))


def names(disk):
    return {str(path.relative_to(disk)) for path in disk.rglob("*")} - {"filling"}


@pytest.mark.parametrize("left", [0, 4096, 50_000])
def test_weights_stay_as_they_were(disk, tiny_model, left):
    path = disk / "a.weights.h5"
    save_weights(tiny_model, path)
    before = path.read_bytes()
    assert len(before) > left
    room = fill(disk, left)
    with pytest.raises(OSError, match="No space left"):
        save_weights(tiny_model, path)
    assert path.read_bytes() == before
    assert names(disk) == {"a.weights.h5"}
    room.unlink()
    save_weights(tiny_model, path)


def test_a_state_stays_as_it_was(disk, tiny_model):
    tiny_model.compile("sgd")
    save_state(tiny_model, disk)
    fill(disk, 4096)
    with pytest.raises(OSError, match="No space left"):
        save_state(tiny_model, disk)
    assert names(disk) == {"training.state"}
    load_state(tiny_model, disk)


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
    assert [record.message.partition(str(path))[2] for record in caplog.records] == [
        " cannot be written, its rows wait: No space left on device.",
        " is complete again.",
    ]


def test_events_that_cannot_be_written_are_one_warning(disk, caplog):
    events = Events(disk, 0)
    fill(disk)
    with caplog.at_level(logging.WARNING, "absl"):
        for iteration in range(500):
            events.add_scalar("loss", 1.0, iteration)
        events.add_image("sample", np.zeros((64, 64, 3), np.uint8), 500)
        events.flush()
        events.close()
    (record,) = caplog.records
    assert "TensorBoard will not show" in record.message


@pytest.mark.parametrize("name", ["a.npy", "a.gif", "a.mp4", "images"])
def test_a_prediction_is_whole_or_not_there(disk, name):
    fill(disk, 4096)
    form = name.partition(".")[2] or "images"
    with pytest.raises(MimError, match=f"{name} cannot be written: .*another place"):
        Output(disk / name, form).write(FRAMES)
    assert names(disk) == set()


@pytest.mark.parametrize(
    "write",
    [
        lambda disk: save_sample(disk / "1", FRAMES, FRAMES[10:], 10),
        lambda disk: write_scores(
            disk, {"mean": {}, "per_frame": {}, "samples": {"truth": FRAMES}}, 10
        ),
        lambda disk: write_json(disk / "run.json", {"a": "b" * 9000}),
    ],
)
def test_scores_and_pictures_are_errors_of_the_system(disk, write):
    """Which training turns into a warning, and a command into a sentence."""
    fill(disk, 4096)
    with pytest.raises(OSError, match="No space left"):
        write(disk)
    assert "scores.json" not in names(disk)


def test_a_command_ends_in_a_sentence(disk):
    data = disk.parent / "frames.npy"
    np.save(data, np.uint8(FRAMES * 255))
    fill(disk, 4096)
    flags = ["inspect", str(data), "--dataset=array", f"--output={disk / 'sheet.png'}"]
    done = subprocess.run(
        [sys.executable, "-m", "mim_tf", *flags],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: {disk / 'sheet.png'} cannot be written")
    assert "Traceback" not in done.stderr
    assert names(disk) == set()


def test_the_last_snapshot_of_a_training_is_an_error(tmp_path, tiny_model, caplog):
    from mim_tf.training.callbacks import Snapshots

    class Full(Snapshots):
        full = True

        def _save(self, iteration):
            if self.full:
                raise OSError(28, "No space left on device")
            self.saved = iteration

    config = mim_tf.TrainingConfig(snapshot_interval=20, max_iterations=100)
    snapshots = Full(config, 0, tmp_path, None)
    for iteration in range(1, 24):
        snapshots.on_iteration(iteration, {})
    assert caplog.text.count("training goes on") == 2  # at 20 and 22
    snapshots.full = False
    snapshots.on_iteration(24, {})
    assert snapshots.saved == 24
    snapshots.on_iteration(26, {})
    assert snapshots.saved == 24
    snapshots.full = True
    with pytest.raises(MimError, match=r"of iteration 26, .* from iteration 24 with --resume"):
        snapshots.on_train_end()
