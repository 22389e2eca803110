"""A speed-run: the quality that recipes reach, against the processor seconds they take.

    python benchmarks/time_to_quality.py --output=FOLDER [--seconds=7200] [--flagfiles=A.cfg,B.cfg]

Each flagfile is trained by run.py, in a process of its own, until its last iteration or until it
has taken so many processor seconds (of all cores, without evaluations), whichever comes first.
Called again with the same folder, it goes on where it stopped. The figure in the folder and the
printed table, best first, show these runs beside the rows of `time_to_quality.csv`, to which
`--enter` adds them, a row an evaluation with its machine.

Everything is scored on one set: the first 1,000 generated validation sequences, of digits that are
in neither training nor test.
"""

import csv
import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import machine
import matplotlib.pyplot as plt
from absl import app, flags
from measure import EXPERIMENTS, header, row

import mim_tf

ROOT = EXPERIMENTS.parent
SEQUENCES = 1_000
SHA256 = "cb9c657f0a15df50e53c5347a18b7bf8d80384aad1b2c8e0405c6fd115e647c4"
TABLE = ROOT / "benchmarks" / "time_to_quality.csv"
SCORES = ("mse", "mae", "ssim_uint8")
COLUMNS = ("recipe", "machine", "sequences", "updates", "processor_seconds", *SCORES)
RECIPES = (
    "time_to_quality/paper2019.cfg",
    "time_to_quality/small_paper2019.cfg",
    "quick.cfg",
    "hour.cfg",
)
PATIENCE = 5
"""Seconds between two looks at a run."""

FLAGS = flags.FLAGS
flags.DEFINE_string("output", None, "Folder for the runs, the table and the figure.", required=True)
flags.DEFINE_list(
    "flagfiles",
    [str(EXPERIMENTS / name) for name in RECIPES],
    "Recipes: flagfiles of run.py.",
)
flags.DEFINE_float("seconds", 7200, "Processor seconds for each of them.", lower_bound=0)
flags.DEFINE_string("digits", "auto", "As for run.py; the fixed set is one of all of MNIST.")
flags.DEFINE_boolean("train", True, "Train; False: table and figure of what is there.")
flags.DEFINE_boolean("enter", False, f"Add the runs to {TABLE.name}.")


def train(flagfile: Path, folder: Path) -> None:
    """Train what `flagfile` says in `folder`, or go on with it."""
    command = [
        sys.executable,
        str(ROOT / "run.py"),
        f"--flagfile={flagfile}",
        "--max_minutes=0",  # --seconds is the limit
        f"--digits={FLAGS.digits}",
        f"--valid_sequences={SEQUENCES}",
        f"--max_test_sequences={SEQUENCES}",
        "--num_save_samples=1",
        f"--save_dir={folder}",
        f"--gen_frm_dir={folder / 'frames'}",
        "--resume=auto",
    ]
    process = subprocess.Popen(command, cwd=ROOT)
    asked = False
    while process.poll() is None:
        time.sleep(PATIENCE)
        if not asked and spent(folder) > FLAGS.seconds:
            process.send_signal(signal.SIGTERM)
            asked = True
    if process.returncode:
        sys.exit(f"error: {flagfile} ended with status {process.returncode}.")


def spent(folder: Path) -> float:
    """Processor seconds the run in `folder` has taken."""
    rows = logged(folder)
    return max(rows.values(), default=0.0)


def logged(folder: Path) -> dict[int, float]:
    """Iteration -> processor seconds."""
    path = folder / "run-001" / "train.csv"
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        return {int(each["iteration"]): float(each["processor_seconds"]) for each in rows}


def evaluations(name: str, folder: Path) -> list[dict]:
    """Return a row of `COLUMNS` for each evaluation of a run on this machine."""
    facts, seconds, rows = machine.facts(), logged(folder), []
    here = f"{facts['cores']} cores of {facts['processor']}, {facts['instructions']}"
    for path in sorted((folder / "run-001" / "scores").glob("*/scores.json")):
        updates, scores = int(path.parent.name), json.loads(path.read_text())
        if updates in seconds:
            found = (name, here, scores["sequences"], updates, seconds[updates])
            means = (scores["mean"][score] for score in SCORES)
            rows.append(dict(zip(COLUMNS, (*found, *means), strict=True)))
    return rows


def entered() -> list[dict]:
    """Return the rows of `TABLE`."""
    with TABLE.open(newline="") as file:
        return [
            {name: text if name in COLUMNS[:2] else float(text) for name, text in each.items()}
            for each in csv.DictReader(file)
        ]


def runs_of(rows: list[dict]) -> list[list[dict]]:
    """Return the rows of each recipe on each machine, the best last evaluation first."""
    runs: dict[tuple, list[dict]] = {}
    for each in rows:
        runs.setdefault((each["recipe"], each["machine"]), []).append(each)
    return sorted(runs.values(), key=lambda run: run[-1]["mse"])


def draw(path: Path, rows: list[dict]) -> None:
    """Draw MSE over processor seconds, a line for each run."""
    figure, axes = plt.subplots(figsize=(7, 6), layout="constrained")
    for run in runs_of(rows):
        points = ([each[name] for each in run] for name in ("processor_seconds", "mse"))
        axes.plot(*points, marker="o", ms=3, label=run[0]["recipe"])
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="processor seconds of training",
        ylabel="MSE of a predicted frame, validation",
    )
    ticks = [50, 60, 70, 80, 100, 120, 140, 170, 200, 250, 300]
    axes.set_yticks(ticks, map(str, ticks))
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=1)
    figure.savefig(path, dpi=150)


def check_sequences() -> None:
    """Say so if the fixed validation set is not the one of the stored figures."""
    data = mim_tf.DataConfig(digits=FLAGS.digits, valid_sequences=SEQUENCES)
    source = mim_tf.open_source(data, mim_tf.ModelConfig(), "valid")
    digest = hashlib.sha256()
    for first in range(0, SEQUENCES, 100):
        digest.update(source.sequences(range(first, first + 100)))
    if digest.hexdigest() != SHA256:
        print(
            f"The validation sequences are not those of all of MNIST: expected the SHA-256 "
            f"{SHA256}, got {digest.hexdigest()}. Compare these figures with each other only."
        )


def main(_):
    output = Path(FLAGS.output).resolve()
    rows = []
    check_sequences()
    for flagfile in map(Path, FLAGS.flagfiles):
        folder = output / flagfile.stem
        if FLAGS.train and spent(folder) < FLAGS.seconds:
            train(flagfile.resolve(), folder)
        rows += evaluations(flagfile.name, folder)
    known = entered()
    rows = [each for each in rows if each not in known]
    everything = known + rows
    if FLAGS.enter:
        with TABLE.open("a", newline="") as file:
            csv.DictWriter(file, COLUMNS, lineterminator="\n").writerows(rows)
    draw(output / "time_to_quality.png", everything)
    header(*COLUMNS)
    for run in runs_of(everything):
        row(*run[-1].values())


if __name__ == "__main__":
    app.run(main)
