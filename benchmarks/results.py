"""Networks of equal cost, trained, and the packaged weights, scored on test sequences of record.

    python benchmarks/results.py --output=FOLDER [--sequences=1000] [--networks=ConvLSTM,MIM]

Each network is trained by experiments/quick.cfg, for as many updates as take about the processor
seconds that MIM's 2,400 take. A table shows their scores with intervals; below it stands which is
better than which. Called again with the same folder, it goes on where it stopped.
"""

import subprocess
import sys
from pathlib import Path

from absl import app, flags
from measure import EXPERIMENTS

ROOT = EXPERIMENTS.parent
NETWORKS = {
    "ConvLSTM": ("--model_name=convlstm_net", "--max_iterations=7200"),
    "PredRNN": ("--model_name=predrnn", "--max_iterations=4400"),
    "MIM": (),
    "MIM_star": ("--model_name=mim_star", "--max_iterations=1850"),
}
"""Name -> flags beside those of quick.cfg."""

FLAGS = flags.FLAGS
flags.DEFINE_string("output", None, "Folder for runs and evaluations.", required=True)
flags.DEFINE_list("networks", list(NETWORKS), "Networks to train.")
flags.DEFINE_string("weights", "moving-mnist", "Weights to score beside them.")
flags.DEFINE_integer("sequences", 1000, "How many of the 10,000 sequences.", lower_bound=1)


def run(*command: str) -> None:
    """Runs Python with these arguments; its failure ends the program."""
    if code := subprocess.run([sys.executable, *command], cwd=ROOT).returncode:
        sys.exit(f"error: {' '.join(command)} ended with status {code}.")


def trained(name: str, folder: Path) -> Path:
    """The best weights of a network, by validation sequences."""
    runs = folder / "runs"
    if not (folder / "done").exists():
        run(
            "run.py",
            f"--flagfile={EXPERIMENTS / 'quick.cfg'}",
            "--max_minutes=0",  # equal cost is counted in updates
            *NETWORKS[name],
            f"--save_dir={runs}",
            f"--gen_frm_dir={folder / 'frames'}",
            "--resume",
        )
        (folder / "done").touch()
    return runs / "run-001" / "best.weights.h5"


def evaluated(weights: Path | str, folder: Path) -> Path:
    """The folder of an evaluation on the sequences of record."""
    evaluations = folder / f"record-{FLAGS.sequences}"
    if not (evaluations / "test-001" / "scores.json").exists():
        run(
            "-m",
            "mim_tf",
            "evaluate",
            f"--flagfile={EXPERIMENTS / 'record.cfg'}",
            f"--pretrained_model={weights}",
            f"--max_test_sequences={FLAGS.sequences}",
            f"--gen_frm_dir={evaluations}",
        )
    return evaluations / "test-001"


def main(_):
    output = Path(FLAGS.output).resolve()
    folders = {
        name: evaluated(trained(name, output / name), output / name) for name in FLAGS.networks
    }
    folders[FLAGS.weights] = evaluated(FLAGS.weights, output / Path(FLAGS.weights).name)
    names = ",".join(Path(name).name for name in folders)
    run("-m", "mim_tf", "compare", *map(str, folders.values()), f"--names={names}")


if __name__ == "__main__":
    app.run(main)
