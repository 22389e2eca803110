"""Networks of equal cost, trained, and the packaged weights, scored on test sequences of record.

    python benchmarks/results.py --output=FOLDER [--minutes=20] [--seeds=2] [--networks=...]

Each network is trained by experiments/quick.cfg with each seed for the same minutes. Tables show
the scores of each seed, their mean and their spread, and the scores of the first seed with
intervals; below them stands which network is better than which. Called again with the same folder,
it goes on where it stopped. On one core, minutes are processor minutes:

    export TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1
    taskset -c 1 python benchmarks/results.py --output=FOLDER
"""

import csv
import itertools
import json
import statistics
import subprocess
import sys
from pathlib import Path

from absl import app, flags
from measure import EXPERIMENTS, header, row

ROOT = EXPERIMENTS.parent
NETWORKS = {
    "ConvLSTM": "convlstm_net",
    "PredRNN": "predrnn",
    "PredRNN++": "predrnn_pp",
    "MIM": "mim",
    "MIM*": "mim_star",
}
"""Name -> --model_name."""

SCORES = ("mse", "mae", "ssim_uint8")

FLAGS = flags.FLAGS
flags.DEFINE_string("output", None, "Folder for runs and evaluations.", required=True)
flags.DEFINE_list("networks", list(NETWORKS), "Networks to train.")
flags.DEFINE_float("minutes", 20, "Minutes to train each network for.", lower_bound=0)
flags.DEFINE_integer("seeds", 2, "Runs of each network.", lower_bound=1)
flags.DEFINE_string("digits", "auto", "As for run.py.")
flags.DEFINE_string("weights", "moving-mnist", "Weights to score beside them.")
flags.DEFINE_integer("sequences", 1000, "How many of the 10,000 sequences.", lower_bound=1)


def run(*command: str) -> None:
    """Runs Python with these arguments; its failure ends the program."""
    if code := subprocess.run([sys.executable, *command], cwd=ROOT).returncode:
        sys.exit(f"error: {' '.join(command)} ended with status {code}.")


def trained(name: str, seed: int, folder: Path) -> Path:
    """The best weights of a network, by validation sequences."""
    runs = folder / "runs"
    if not (folder / "done").exists():
        run(
            "run.py",
            f"--flagfile={EXPERIMENTS / 'quick.cfg'}",
            f"--model_name={NETWORKS[name]}",
            f"--seed={seed}",
            f"--max_minutes={FLAGS.minutes}",
            "--max_iterations=100000",  # the minutes are the limit
            f"--digits={FLAGS.digits}",
            f"--save_dir={runs}",
            f"--gen_frm_dir={folder / 'frames'}",
            "--resume=auto",
        )
        (folder / "done").touch()
    return runs / "run-001" / "best.weights.h5"


def evaluated(weights: Path | str, folder: Path) -> Path:
    """The folder of an evaluation on the sequences of record."""
    evaluations = folder / f"record-{FLAGS.sequences}"
    done = sorted(evaluations.glob("test-*/scores.json"))  # one that was interrupted has none
    if not done:
        run(
            "-m",
            "mim_tf",
            "evaluate",
            f"--flagfile={EXPERIMENTS / 'record.cfg'}",
            f"--pretrained_model={weights}",
            f"--digits={FLAGS.digits}",
            f"--max_test_sequences={FLAGS.sequences}",
            f"--gen_frm_dir={evaluations}",
        )
        done = sorted(evaluations.glob("test-*/scores.json"))
    return done[-1].parent


def cost(folder: Path) -> tuple[int, float]:
    """Updates and processor seconds of a run."""
    with (folder / "runs" / "run-001" / "train.csv").open(newline="") as file:
        *_, last = csv.DictReader(file)
    return int(last["iteration"]), float(last["processor_seconds"])


def main(_):
    output, means, evaluations = Path(FLAGS.output).resolve(), {}, {}
    rows = []
    for seed, name in itertools.product(range(FLAGS.seeds), FLAGS.networks):
        folder = output / f"{NETWORKS[name]}-{seed}"
        found = evaluated(trained(name, seed, folder), folder)
        scores = json.loads((found / "scores.json").read_text())["mean"]
        rows.append((name, str(seed), *cost(folder), *(scores[each] for each in SCORES)))
        means.setdefault(name, []).append(scores["mse"])
        evaluations.setdefault(name, found)
    header("network", "seed", "updates", "processor seconds", *SCORES)
    for each in rows:
        row(*each)
    header("network", "mean MSE of the seeds", "largest less smallest")
    for name, values in means.items():
        row(name, statistics.fmean(values), max(values) - min(values))
    evaluations[FLAGS.weights] = evaluated(FLAGS.weights, output / Path(FLAGS.weights).name)
    names = ",".join(Path(name).name for name in evaluations)
    run("-m", "mim_tf", "compare", *map(str, evaluations.values()), f"--names={names}")


if __name__ == "__main__":
    app.run(main)
