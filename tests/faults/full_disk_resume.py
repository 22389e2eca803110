"""Fills the disk of a training again and again, makes room, resumes it, and compares its end.

python -m tests.faults.full_disk_resume --fills=10

Needs a user who may mount a tmpfs.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.lives import Life, compare_with_uninterrupted, rows
from tests.faults.small_disk import NoDiskError, fill, small_disk

_DISK = 64
_ROOM = 2**18
"""Bytes that are left at most: less than a snapshot and an evaluation take together."""


def fill_once(folder: Path, disk: Path, draw: random.Random) -> str:
    """One life that has its disk filled, goes on, and is ended; what it ended with."""
    life = Life(folder)
    life.wait_for_lock()
    life.wait_for_rows(draw.randrange(1, 8))
    room = fill(disk, draw.randrange(_ROOM))
    time.sleep(draw.uniform(0, 3))
    number = draw.choice([signal.SIGKILL, signal.SIGTERM])
    status = life.end(number)
    room.unlink()
    return f"{number.name}, status {status}"


def main() -> None:
    """Prints how every life ended and what differs; status 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw, wrong = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory() as parent:
        try:
            with small_disk(Path(parent) / "disk", _DISK) as disk:
                folder = disk / "filled"
                folder.mkdir()
                # Of all lives; on the disk it would be full too.
                log = Path(parent) / "log"
                (disk / "filled.log").symlink_to(log)
                for number in range(1, options.fills + 1):
                    end = fill_once(folder, disk, draw)
                    # 0 and 1: stopped in order, with the last snapshot or the sentence without.
                    known = ("status 0", "status 1", f"status {-signal.SIGKILL}")
                    wrong += not end.endswith(known)
                    reached = len(rows(folder / "runs" / "run-001"))
                    print(f"disk {number} filled: {end}; iteration {reached} logged", flush=True)
                found = compare_with_uninterrupted(folder)
                text = log.read_text()
        except NoDiskError as error:
            raise SystemExit(f"Not tried: {error}.") from None
    counts = {words: text.count(words) for words in ("Traceback", "training goes on", "error: ")}
    print(
        f"{options.fills} full disks, {wrong} crashes, {counts['Traceback']} traces, "
        f"{counts['training goes on']} warnings, {counts['error: ']} ended with a sentence, "
        f"different: {', '.join(found) or 'nothing'}"
    )
    if found or wrong or counts["Traceback"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
