"""The folder of a run: its name, the files in it, and a lock against a second process."""

import contextlib
import fcntl
import os
import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from absl import logging

from mim_tf.errors import MimError
from mim_tf.storage.files import read_json, write_json
from mim_tf.storage.paths import remove_debris

STATE = "training.state"
"""Weights, optimizer and counters of the last snapshot, from which `--resume` continues."""

PREVIOUS_STATE = "training.state.previous"
"""The state of the snapshot before, used if the last state is corrupted."""

RECORD = "run.json"
"""Settings, data and versions of a run."""


def new_run_folder(parent, prefix="run") -> Path:
    """Create the next free folder `prefix-001`, `prefix-002`, ... in `parent`."""
    parent = Path(parent)
    names = os.listdir(parent) if os.path.isdir(parent) else []
    last = max((_number(name, prefix) for name in names), default=0)
    for number in range(last + 1, last + 101):
        folder = parent / f"{prefix}-{number:03d}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:  # Another process was faster.
            continue
        except OSError as error:
            raise MimError(f"{parent} cannot hold a new folder: {error}.") from error
        return folder
    raise MimError(f"No folder {prefix}-... could be made in {parent}.")


def last_run(parent) -> Path | None:
    """Return the newest run in `parent` that has its record or a state."""
    found = {_number(path.name, "run"): path for path in Path(parent).glob("run-*")}
    runs = [n for n, run in found.items() if os.path.lexists(run / RECORD) or has_state(run)]
    return found[max(runs)] if max(runs, default=0) else None


def check_no_run(parent: str | Path) -> None:
    """Raise `MimError` if a folder of runs is itself a run."""
    if os.path.lexists(Path(parent) / RECORD):
        above = os.path.dirname(os.path.abspath(parent))
        raise MimError(
            f"Expected the folder of runs to resume the newest of them, got the run {parent}. "
            f"Give --save_dir={above}."
        )


def has_state(folder: Path) -> bool:
    """Return whether a run has a state, which may be corrupted."""
    return any(os.path.lexists(folder / name) for name in (STATE, PREVIOUS_STATE))


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Lock a run against other processes; the system unlocks it if this process is killed.

    The file `lock` is never followed as a link, and only changed once it is locked. Where the file
    system has no locks, a warning is logged and nothing is deleted.

    Raises `MimError`, with the process, if another process holds the lock.
    """
    path = folder / "lock"
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        raise MimError(f"{path}: expected a regular file, got a link or something else. Remove it.")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    with open(descriptor, "r+", encoding="utf-8", errors="replace") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for each in (folder, *folder.glob("scores/*")):
                remove_debris(each)
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
        except BlockingIOError:
            raise MimError(
                f"{folder} is being trained by another process ({file.read(200).strip()}). Wait "
                "until it ends or stop it, or start a new run without --resume."
            ) from None
        except OSError as error:  # Some file systems have no locks.
            logging.warning("%s cannot be locked (%s): start no second --resume.", folder, error)
        yield


def pictures_folder(run: Path, parent: str | Path) -> Path:
    """Return the folder in `parent` for the pictures of `run` and no other run.

    It has the name of the run, with a number if the name is taken. The run keeps its path in
    `pictures.json`, to use the same folder when it is resumed.
    """
    named = Path(parent) / run.name
    if os.path.realpath(named) == os.path.realpath(run):  # Path.resolve raises for loops of links
        return run / "pictures"
    record = run / "pictures.json"
    if os.path.lexists(record):
        known = read_json(record)
        folder = Path(str(known.get("folder")))
        # A copy of a run is at another path, and gets pictures of its own.
        is_ours = known.get("run") in (None, str(run.resolve()))
        if is_ours and str(folder.parent) == os.path.realpath(parent):
            return folder
    try:
        named.mkdir(parents=True)
    except FileExistsError:
        named = new_run_folder(parent, run.name)
    write_json(record, {"folder": str(named.resolve()), "run": str(run.resolve())})
    return named


def _number(name, prefix):
    match = re.fullmatch(rf"{re.escape(prefix)}-(\d{{1,9}})", name)
    return int(match[1]) if match else 0
