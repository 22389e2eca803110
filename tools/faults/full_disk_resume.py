"""Fill the disk of a training again and again, make room, resume it, and compare its end.

python -m tools.faults.full_disk_resume --fills=10

Needs a user who may mount a tmpfs.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tools.faults.lives import (
    Life,
    NoDiskError,
    compare_with_uninterrupted,
    fill,
    rows,
    small_disk,
)

_MEBIBYTES = 64
_ROOM = 2**18
"""Largest number of bytes that are left, fewer than a snapshot and an evaluation take together."""


def main() -> None:
    """Print how every life ended and what differs; exit with 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw, wrong = random.Random(options.seed), 0
    with (
        tempfile.TemporaryDirectory() as parent,
        small_disk(Path(parent) / "disk", _MEBIBYTES) as disk,
    ):
        folder, log = disk / "filled", Path(parent) / "log"
        folder.mkdir()
        (disk / "filled.log").symlink_to(log)  # elsewhere, because the disk is full
        for number in range(1, options.fills + 1):
            life = Life(folder)
            life.wait_for_lock()
            life.wait_for_rows(draw.randrange(1, 8))
            room = fill(disk, draw.randrange(_ROOM))
            time.sleep(draw.uniform(0, 3))
            end = draw.choice([signal.SIGKILL, signal.SIGTERM])
            status = life.end(end)
            room.unlink()
            # 0 and 1: stopped with a last snapshot, or with an error that says it failed.
            wrong += status not in (0, 1, -signal.SIGKILL)
            reached = len(rows(folder / "runs" / "run-001"))
            print(f"disk {number}: {end.name}, status {status}, {reached} iterations", flush=True)
        found = compare_with_uninterrupted(folder)
        text = log.read_text()
    counts = {words: text.count(words) for words in ("Traceback", "training goes on", "error: ")}
    print(
        f"{options.fills} full disks, {wrong} crashes, {counts['Traceback']} traces, "
        f"{counts['training goes on']} warnings, {counts['error: ']} ended with an error, "
        f"different: {', '.join(found) or 'nothing'}"
    )
    sys.exit(bool(found or wrong or counts["Traceback"]))


if __name__ == "__main__":
    try:
        main()
    except NoDiskError as error:
        raise SystemExit(f"Not tried: {error}.") from None
