"""Corrupt a file of every kind that mim_tf reads, again and again, and count the results.

python -m tools.faults --cases=5000
"""

import argparse
import collections
import os
import sys
import tempfile
import time
from pathlib import Path

# Before Keras is imported: this backend has no threads, which would not survive a fork.
os.environ["KERAS_BACKEND"] = "numpy"

from mim_tf.runtime.backend import BACKENDS

BACKENDS["numpy"] = "NumPy"  # enough to read weights
from tools.faults.cases import GOOD, OUTCOMES, Bench, Case, choose  # noqa: E402
from tools.faults.readers import READERS  # noqa: E402


def main() -> int:
    """Print a table, and each case that went wrong; return their number."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tools.faults")
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
    # Readers that need TensorFlow come last, because it has threads once it is imported.
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
    counts["all"] = sum(counts.values(), collections.Counter())
    print(f"{'':20}{'cases':>8}" + "".join(f"{outcome:>14}" for outcome in OUTCOMES))
    for name, count in counts.items():
        numbers = "".join(f"{count[outcome]:>14}" for outcome in OUTCOMES)
        print(f"{name:20}{count.total():>8}{numbers}")
    print(f"{len(cases)} cases in {time.monotonic() - start:.0f} s")
    return sum(count for outcome, count in counts["all"].items() if outcome not in GOOD)


if __name__ == "__main__":
    sys.exit(bool(main()))
