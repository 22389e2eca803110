"""Trainings of a tiny network that are started, ended by force and resumed; a small disk for them.

Each life is a fork of a process that has imported everything and computed nothing, which saves the
seconds that the imports of TensorFlow take. Linux and macOS; the disk is for Linux.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

import mim_tf.cli.main
import mim_tf.jobs.train  # imported once, for all lives
from mim_tf.runs.folder import STATE

FLAGS = (
    "--model_name=predrnn --img_width=32 --patch_size=8 --num_hidden=4 --filter_size=3 "
    "--input_length=2 --total_length=4 --digits=bundled --train_sequences=7 --valid_sequences=3 "
    "--batch_size=2 --test_interval=5 --snapshot_interval=2 --num_save_samples=1 --resume=auto"
)
WITHOUT_END = 10**8
_LONGEST = 600
"""Seconds that a life may take to its next row."""


class Life:
    """Process that trains in `folder`, or resumes what is there."""

    def __init__(self, folder: Path, iterations: int = WITHOUT_END):
        self.run = folder / "runs" / "run-001"
        self.log = folder.parent / f"{folder.name}.log"
        self._held = _time_of(self.run / "lock")
        flags = [f"--save_dir={folder / 'runs'}", f"--gen_frm_dir={folder / 'frames'}"]
        self.process = os.fork()
        if self.process == 0:
            _live([*FLAGS.split(), *flags, f"--max_iterations={iterations}"], self.log)

    def wait_for_lock(self) -> None:
        """Wait until the process has locked its run."""
        self._wait(lambda: _time_of(self.run / "lock") != self._held)

    def wait_for_rows(self, count: int) -> None:
        """Wait until the log has `count` more rows than now."""
        before = len(rows(self.run))
        self._wait(lambda: len(rows(self.run)) >= before + count)

    def end(self, number: int = signal.SIGKILL) -> int:
        """Send a signal, and return the exit status, negative for a signal."""
        os.kill(self.process, number)
        return self.status()

    def status(self) -> int:
        """Wait for the end of the process, and return its exit status."""
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    def _wait(self, condition):
        end = time.monotonic() + _LONGEST
        while not condition():
            if os.waitpid(self.process, os.WNOHANG)[0] or time.monotonic() > end:
                raise SystemExit(f"A life ended or hung: {self.log.read_text()[-3000:]}")
            time.sleep(0.02)


def _live(flags, log):
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    status = 1
    try:
        mim_tf.cli.main.main(["train", *flags])
        status = 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _time_of(path):
    return path.stat().st_mtime_ns if path.exists() else 0


def rows(run: Path) -> list[str]:
    """Return the rows of `train.csv` without their times."""
    path = run / "train.csv"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.rsplit(",", 2)[0] for line in lines[1:]]


def differences(one: Path, other: Path) -> list[str]:
    """Return the names of states, logs and scores that are not bit for bit equal in two runs."""
    first, second = _content(one), _content(other)
    return sorted(name for name in first | second if first.get(name) != second.get(name))


def _content(run):
    paths = [path for path in (run / "best.json", *run.glob("scores/*/*.csv")) if path.exists()]
    found = {str(path.relative_to(run)): path.read_bytes() for path in paths}
    found["train.csv"] = rows(run)

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item[()]).tolist()

    with h5py.File(run / STATE) as file:
        file.visititems(add)
    return found


def compare_with_uninterrupted(folder: Path) -> list[str]:
    """Finish the run in `folder`, and one without interruption; return their `differences`."""
    other = folder.with_name("uninterrupted")
    other.mkdir()
    iterations = len(rows(folder / "runs" / "run-001")) + 3
    for each in (folder, other):
        life = Life(each, iterations)
        if life.status():
            raise SystemExit(f"The last life failed: {life.log.read_text()[-3000:]}")
    found = differences(*(each / "runs" / "run-001" for each in (folder, other)))
    if [path.name for path in (folder / "runs").iterdir()] != ["run-001"]:
        found.append("the number of runs")
    return found


class NoDiskError(Exception):
    """No disk can be mounted here; the message says why."""


@contextlib.contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """Make `folder` and mount a tmpfs there.

    Raises:
        NoDiskError: if this user or system cannot.
    """
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise NoDiskError("there is no mount") from None
    except subprocess.CalledProcessError as error:
        raise NoDiskError(f"a tmpfs cannot be mounted: {error.stderr.strip()}") from None
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, left: int = 0) -> Path:
    """Make a file that takes all room except `left` bytes, and return its path."""
    path = disk / "filling"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(2**16))
    os.truncate(path, max(0, path.stat().st_size - left))
    return path
