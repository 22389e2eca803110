"""Kill a training again and again, resume it, and compare its end with a training never killed.

python -m tools.faults.kill_resume --kills=50
python -m tools.faults.kill_resume --kills=10 --full_disk

With --full_disk, its disk is filled before each kill, and room is made before the next life. That
needs a user who may mount a tmpfs.
"""

import argparse
import contextlib
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

_AT_START = 0.2
"""Share of the kills that come before the first update."""

_MEBIBYTES = 64
_ROOM = 2**18
"""Largest number of bytes that are left, fewer than a snapshot and an evaluation take together."""


def main() -> None:
    """Print how every life ended and what differs; exit with 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--full_disk", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw, crashes = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory() as parent, contextlib.ExitStack() as stack:
        place, log = Path(parent), Path(parent) / "log"
        if options.full_disk:
            place = stack.enter_context(small_disk(place / "disk", _MEBIBYTES))
        folder = place / "killed"
        folder.mkdir()
        (place / "killed.log").symlink_to(log)  # elsewhere, because the disk is full
        for kill in range(1, options.kills + 1):
            life = Life(folder)
            life.wait_for_lock()
            status = (_end_on_full_disk if options.full_disk else _end)(life, draw, place)
            # 0 and 1: stopped with a last snapshot, or with an error that says it failed.
            crashes += status not in (0, 1, -signal.SIGKILL)
            reached = len(rows(folder / "runs" / "run-001"))
            print(f"kill {kill}: status {status}, iteration {reached} logged", flush=True)
        found = compare_with_uninterrupted(folder)
        text = log.read_text()
    traces = text.count("Traceback")
    print(
        f"{options.kills} kills, {crashes} crashes, {traces} traces, "
        f"{text.count('training goes on')} warnings, {text.count('error: ')} ended with an error, "
        f"different: {', '.join(found) or 'nothing'}"
    )
    sys.exit(bool(found or crashes or traces))


def _end(life, draw, _):
    if draw.random() < _AT_START:
        time.sleep(draw.uniform(0, 2))
    else:
        # Snapshots come every 2 rows and evaluations every 5, so that the kill hits some.
        life.wait_for_rows(draw.randrange(1, 8))
        time.sleep(draw.uniform(0, 0.2))
    return life.end()


def _end_on_full_disk(life, draw, disk):
    life.wait_for_rows(draw.randrange(1, 8))
    room = fill(disk, draw.randrange(_ROOM))
    time.sleep(draw.uniform(0, 3))
    status = life.end(draw.choice([signal.SIGKILL, signal.SIGTERM]))
    room.unlink()
    return status


if __name__ == "__main__":
    try:
        main()
    except NoDiskError as error:
        raise SystemExit(f"Not tried: {error}.") from None
