"""Quality that recipes reach, against the processor seconds they take.

    python benchmarks/time_to_quality.py --output=FOLDER [--seconds=7200] [--flagfiles=A.cfg,B.cfg]

Each flagfile is trained by run.py, in a process of its own, until its last iteration or until it
has taken so many processor seconds (of all cores, without evaluations), whichever comes first.
Called again with the same folder, it goes on where it stopped. `time_to_quality.csv` in the folder
has a row for each evaluation, `time_to_quality.png` shows them.

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

import matplotlib.pyplot as plt
from absl import app, flags
from measure import EXPERIMENTS, header, row

import mim_tf

ROOT = EXPERIMENTS.parent
SEQUENCES = 1_000
SHA256 = "cb9c657f0a15df50e53c5347a18b7bf8d80384aad1b2c8e0405c6fd115e647c4"
COLUMNS = ("recipe", "iteration", "processor_seconds", "mse", "mae", "ssim_uint8")
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


def train(flagfile: Path, folder: Path) -> None:
    """Trains what `flagfile` says in `folder`, or goes on with it."""
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
        "--resume",
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


def evaluations(name: str, folder: Path) -> list[tuple]:
    """A row of `COLUMNS` for each evaluation of a run."""
    seconds, rows = logged(folder), []
    for path in sorted((folder / "run-001" / "scores").glob("*/scores.json")):
        iteration, mean = int(path.parent.name), json.loads(path.read_text())["mean"]
        if iteration in seconds:
            scores = (mean[score] for score in COLUMNS[3:])
            rows.append((name, iteration, seconds[iteration], *scores))
    return rows


def draw(path: Path, rows: list[tuple]) -> None:
    """MSE over processor seconds, a line for each recipe."""
    figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    for name in dict.fromkeys(each[0] for each in rows):
        points = [each for each in rows if each[0] == name]
        axes.plot([p[2] for p in points], [p[3] for p in points], marker="o", ms=3, label=name)
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
    figure.legend(loc="outside lower center", ncols=2)
    figure.savefig(path, dpi=150)


def check_sequences() -> None:
    """Ends the program where the fixed validation set is not the one of the stored figures."""
    data = mim_tf.DataConfig(digits=FLAGS.digits, valid_sequences=SEQUENCES)
    source = mim_tf.open_source(data, mim_tf.ModelConfig(), "valid")
    digest = hashlib.sha256()
    for first in range(0, SEQUENCES, 100):
        digest.update(source.sequences(range(first, first + 100)))
    if digest.hexdigest() != SHA256:
        print(
            f"The validation sequences are not those of all of MNIST: expected the SHA-256 "
            f"{SHA256}, received {digest.hexdigest()}. Compare these figures with each other only."
        )


def main(_):
    output = Path(FLAGS.output).resolve()
    rows = []
    check_sequences()
    for flagfile in map(Path, FLAGS.flagfiles):
        folder = output / flagfile.stem
        if FLAGS.train and spent(folder) < FLAGS.seconds:
            train(flagfile.resolve(), folder)
        rows += evaluations(flagfile.stem, folder)
    with (output / "time_to_quality.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    draw(output / "time_to_quality.png", rows)
    header(*COLUMNS)
    for name in dict.fromkeys(each[0] for each in rows):
        row(*next(each for each in reversed(rows) if each[0] == name))


if __name__ == "__main__":
    app.run(main)
