"""Kill a training again and again, resume it, and compare its end with a training never killed.

python -m tools.faults.kill_resume --kills=50
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tools.faults.lives import Life, compare_with_uninterrupted, rows

_AT_START = 0.2
"""Share of the kills that come before the first update."""


def main() -> None:
    """Print the number of kills and what differs; exit with 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "killed"
        folder.mkdir()
        for kill in range(1, options.kills + 1):
            life = Life(folder)
            life.wait_for_lock()
            if draw.random() < _AT_START:
                time.sleep(draw.uniform(0, 2))
            else:
                # Snapshots come every 2 rows and evaluations every 5, so that the kill hits some.
                life.wait_for_rows(draw.randrange(1, 8))
                time.sleep(draw.uniform(0, 0.2))
            life.end()
            reached = len(rows(folder / "runs" / "run-001"))
            print(f"kill {kill}, iteration {reached} logged", flush=True)
        found = compare_with_uninterrupted(folder)
        traces = (folder.parent / "killed.log").read_text().count("Traceback")
    print(f"{options.kills} kills, {traces} traces, different: {', '.join(found) or 'nothing'}")
    sys.exit(bool(found or traces))


if __name__ == "__main__":
    main()
