"""Damages a file of every kind that mim_tf reads, again and again, and counts what comes of it.

python -m tests.faults --cases=5000
"""

import argparse
import collections
import os
import sys
import tempfile
import time
from pathlib import Path

# Before Keras is imported: the only backend without threads, which would not survive a fork.
os.environ["KERAS_BACKEND"] = "numpy"

from mim_tf.runtime.backend import BACKENDS

BACKENDS["numpy"] = "NumPy"  # enough to read weights
from tests.faults.cases import GOOD, OUTCOMES, Bench, Case, choose  # noqa: E402
from tests.faults.readers import READERS  # noqa: E402


def main() -> int:
    """Prints a table, and each case that went wrong; returns their number."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.faults")
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", action="append", help="only this one; may be given again")
    parser.add_argument("--only", metavar="READER:DAMAGE:SEED", help="one case, as it is printed")
    arguments = parser.parse_args()
    names = arguments.reader or list(READERS)
    cases = [choose(number, arguments.seed, names) for number in range(arguments.cases)]
    if arguments.only:
        reader, damage, seed = arguments.only.split(":")
        cases = [Case(reader, damage, int(seed))]
    # Those of TensorFlow last: it is loaded before the first of them.
    cases.sort(key=lambda case: READERS[case.reader].tensorflow)
    start = time.monotonic()
    counts = {case.reader: collections.Counter() for case in cases}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for case in cases:
            if READERS[case.reader].tensorflow:
                import tensorflow  # noqa: F401
            outcome, said = bench.run(case)
            counts[case.reader][outcome] += 1
            if outcome not in GOOD or arguments.only:
                print(f"{case}\n    {outcome}: {said}", flush=True)
    _print_table(counts)
    print(f"{len(cases)} cases in {time.monotonic() - start:.0f} s")
    return sum(count for total in counts.values() for o, count in total.items() if o not in GOOD)


def _print_table(counts):
    total = sum(counts.values(), collections.Counter())
    print(f"{'':20}{'cases':>8}" + "".join(f"{outcome:>14}" for outcome in OUTCOMES))
    for name, count in {**counts, "all": total}.items():
        numbers = "".join(f"{count[outcome]:>14}" for outcome in OUTCOMES)
        print(f"{name:20}{count.total():>8}{numbers}")


if __name__ == "__main__":
    sys.exit(bool(main()))
