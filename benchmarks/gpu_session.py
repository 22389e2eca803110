"""All that is to be done on a GPU that is lent for minutes: timings, then training in pieces.

    python benchmarks/gpu_session.py --output=FOLDER [--openstl=CHECKOUT] [--digits=mnist.npz]

Call it again with the same folder, or a copy of it on another machine, until it says that all is
done: each call ends within --seconds, and the next one goes on from there. In the folder are

- timings.json: what gpu.py measures, a row at a time; no row is measured twice;
- checkpoints, results: the run of experiments/gpu.cfg, with weights, optimizer and scores;
- compiled: programs of XLA, so that later pieces of the training need not compile again.

The learning rate falls to zero over the last fifth of --iterations: where time runs out, give the
last calls 5/4 of the iterations that the run has reached.
"""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import gpu
from absl import app, flags
from measure import EXPERIMENTS, MeasurementError, header, row

FLAGS = flags.FLAGS
flags.DEFINE_string("output", None, "Folder for everything.", required=True)
flags.DEFINE_float("seconds", 540, "In which a call ends.")
flags.DEFINE_float("stop_seconds", 40, "Of these, for the last snapshot.")
flags.DEFINE_float("row_seconds", 180, "After which a row is given up.")
flags.DEFINE_list("parts", ["timings", "training"], "What to do, in this order.")
flags.DEFINE_string("digits", "auto", "As for run.py; a machine without network needs a path.")
flags.DEFINE_integer("iterations", 15_625, "Of the training; 50 x 10,000 sequences at batch 32.")
flags.DEFINE_multi_string("train", [], "A further flag of run.py: --train=--batch_size=64.")
FLAGS.set_default("batch_sizes", "16,64")


def measure_all(folder: Path, deadline: float) -> bool:
    """Measures the rows that are missing, and says whether none is missing at the end."""
    path = folder / "timings.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    wanted = [("product", precision, "0", "0") for precision in FLAGS.precisions] + [
        (network, precision, channels, batch_size)
        for channels, precision, batch_size, network in gpu.configurations()
    ]
    for each in wanted:
        key, left = " ".join(each), deadline - time.monotonic()
        if key in known:
            continue
        if left <= 0:
            return False
        try:
            known[key] = gpu.in_own_process(*each, timeout=min(left, FLAGS.row_seconds))
        except MeasurementError as error:
            if left < FLAGS.row_seconds and str(error) == "out of time":
                return False  # it gets all of its time in the next call
            known[key] = {"error": str(error)}
        path.write_text(json.dumps(known, indent=1) + "\n")
    return True


def show_timings(folder: Path) -> None:
    """Prints the tables of gpu.py with the rows there are."""
    known = json.loads((folder / "timings.json").read_text())
    rows = [(*key.split(), numbers) for key, numbers in known.items()]
    rates = {}
    header("precision", f"product of {FLAGS.matrix}x{FLAGS.matrix}, TFLOP/s", "device", "JAX")
    for network, precision, *_, numbers in rows:
        if network == "product":
            rates[precision] = numbers.get("tflops")
            row(
                precision,
                rates[precision] or numbers["error"],
                *map(numbers.get, ("device", "jax")),
            )
    header(*gpu.COLUMNS)
    for network, precision, channels, batch_size, numbers in rows:
        if network == "product":
            continue
        failed = "error" in numbers
        cells = [numbers["error"], *[None] * 7] if failed else None
        cells = cells or gpu.speeds(batch_size, numbers, rates[precision])
        row(network, channels, batch_size, precision, *cells)


def train(folder: Path, deadline: float) -> bool:
    """Trains a piece, and says whether the run has reached its last iteration."""
    command = [
        *(sys.executable, str(EXPERIMENTS.parent / "run.py")),
        f"--flagfile={EXPERIMENTS / 'gpu.cfg'}",
        f"--digits={FLAGS.digits}",
        f"--max_iterations={FLAGS.iterations}",
        f"--save_dir={folder / 'checkpoints'}",
        f"--gen_frm_dir={folder / 'results'}",
        "--resume=auto",
        *FLAGS.train,
    ]
    compiled = {"JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    process = subprocess.Popen(command, env=os.environ | compiled)
    try:
        status = process.wait(max(0, deadline - FLAGS.stop_seconds - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)  # it ends its iteration, saves and leaves
        status = process.wait()
    if status not in (0, -signal.SIGTERM):  # the latter where it had not begun to train
        sys.exit(f"error: the training ended with status {status}.")
    return show_training(folder) >= FLAGS.iterations


def show_training(folder: Path) -> int:
    """Prints the scores so far; returns the last iteration that was logged."""
    header("iteration", "MSE", "MAE", "SSIM (uint8)")
    for path in sorted(folder.glob("checkpoints/run-001/scores/*/scores.json")):
        mean = json.loads(path.read_text())["mean"]
        row(str(int(path.parent.name)), mean["mse"], mean["mae"], mean["ssim_uint8"])
    log = folder / "checkpoints" / "run-001" / "train.csv"
    if not log.exists():
        return 0
    with log.open(newline="") as file:
        iterations = [int(each["iteration"]) for each in csv.DictReader(file)]
    return max(iterations, default=0)


def main(_):
    deadline = time.monotonic() + FLAGS.seconds
    folder = Path(FLAGS.output).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    done = True
    if "timings" in FLAGS.parts:
        done = measure_all(folder, deadline)
        show_timings(folder)
    if done and "training" in FLAGS.parts:
        done = train(folder, deadline)
    print(f"\n{'All is done' if done else 'Call it again to go on'}: {folder}")


if __name__ == "__main__":
    app.run(main)
