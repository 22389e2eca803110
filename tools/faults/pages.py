"""Edit the folders of two runs as people do, make every page of them, and count the results.

python -m tools.faults.pages --cases=300

A case damages, cuts or edits one or two files, or exchanges them with those of another run.
"""

import argparse
import collections
import contextlib
import io
import random
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np
from absl import flags, logging

from mim_tf.cli.pages import COMPARE, FILMSTRIP, REPORT
from mim_tf.errors import MimError
from mim_tf.evaluation.statistics import RESAMPLES
from mim_tf.evaluation.stored import write_scores
from tests.report.conftest import CONTEXT, DBZ, HORIZON, SEQUENCES, evaluation, make_run
from tools.faults.content import WRITERS
from tools.faults.damage import ANY, Kind

_EDITS = [name for name, (kind, _) in ANY.items() if kind in (Kind.CHANGED, Kind.CUT)]


def main() -> int:
    """Print each case that went wrong, and the counts; return the number of wrong ones."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tools.faults.pages")
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    arguments = parser.parse_args()
    flags.FLAGS.mark_as_parsed()
    logging.set_verbosity(logging.FATAL)
    counts: collections.Counter = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        runs = make_runs(Path(folder) / "good")
        for number in range(arguments.first, arguments.first + arguments.cases):
            outcome, words = run_case(number, runs, Path(folder))
            counts[outcome] += 1
            if outcome == "traceback":
                print(f"case {number}: {words}", flush=True)
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    return counts["traceback"]


def make_runs(folder: Path) -> Path:
    """Write two runs with all that pages can show, and an evaluation of weights of the first."""
    for name, error in (("mim", 10.0), ("predrnn", 8.0)):
        run = make_run(folder / name, name, error)
        for path in run.glob("scores/*"):
            write_scores(path, _complete(error), CONTEXT)
    shutil.copytree(run / "scores" / "000200", folder / "test")
    shutil.copy(run / "run.json", folder / "test")
    return folder


def _complete(error):
    """Return an evaluation with recordings, resamples, spectra, a scale and missing values."""
    result = evaluation(error, scale=DBZ | {"names": ["rain"]}, missing=(0, 4, 1, 1))
    spectrum = [[9.0, 1.0]] * HORIZON
    draws = np.random.default_rng(1).normal(error, 1, RESAMPLES)
    return result | {
        "recordings": SEQUENCES // 2,
        "groups": np.arange(SEQUENCES) // 2,
        "resamples": {name: draws for name in result["mean"]},
        "spectra": {"wavelength": [16.0, 4.0], "truth": spectrum, "prediction": spectrum},
    }


def run_case(number: int, runs: Path, folder: Path) -> tuple[str, str]:
    """Return whether pages of edited copies of `runs` are made, refused or a traceback."""
    draw, copy = random.Random(number), folder / f"case-{number}"
    shutil.copytree(runs, copy)
    files = sorted(path for path in copy.rglob("*") if path.suffix in WRITERS)
    words = []
    for _ in range(draw.choice([1, 1, 2])):
        file = draw.choice(files)
        way = draw.choice(["content"] * 6 + ["exchange"] + ["damage"] * 2)
        words.append(f"{way} of {file.relative_to(copy)}")
        if way == "content":
            with contextlib.suppress(Exception):  # a second edit of what cannot be read any more
                WRITERS[file.suffix](file, draw)
        elif way == "exchange":  # with another run or iteration
            others = [each for each in files if each.name == file.name and each != file]
            shutil.copy(draw.choice(others), file)
        else:
            ANY[draw.choice(_EDITS)][1](file, draw)
    mim, other, test = copy / "mim", copy / "predrnn", copy / "test"
    commands = [
        (REPORT, [mim]),
        (REPORT, [test, f"--output={copy / 'test.html'}"]),
        (COMPARE, [mim, other, "--by_lead_time=mse"]),
        (COMPARE, [mim, test, "--format=latex"]),
        (COMPARE, [mim, other, f"--output={copy / 'page.html'}"]),
        (FILMSTRIP, [other, mim, f"--output={copy / 'strip.png'}"]),
    ]
    outcome = "made"
    for command, arguments in draw.sample(commands, 3):
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                values = command.flag_values()
                command.start(values, values(["mim", *map(str, arguments)])[1:])
        except MimError:
            outcome = "refused"
        except Exception:
            detail = traceback.format_exc()
            return "traceback", f"{' and '.join(words)}\n{arguments[:1]} {detail[-900:]}"
    shutil.rmtree(copy)
    return outcome, ""


if __name__ == "__main__":
    sys.exit(bool(main()))
