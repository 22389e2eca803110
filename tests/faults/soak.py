"""Trains and predicts for long, and compares the memory in use early on and at the end.

python -m tests.faults.soak --updates=5000 --predictions=500
"""

import argparse
import sys
import tempfile
import threading
from pathlib import Path

import keras
import numpy as np

import mim_tf
from mim_tf.jobs.train import train
from tests.faults.lives import rows

CONFIG = mim_tf.ModelConfig(
    model_name="predrnn",
    img_width=32,
    patch_size=8,
    num_hidden=(4,),
    filter_size=3,
    input_length=2,
    total_length=4,
)
MEBIBYTE = 2**20
GROWTH = 1.05
"""The largest memory at the end, in units of that at a tenth of the way."""


def resident() -> int:
    """Bytes of memory that this process has; Linux."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("Not tried: this system does not say how much memory a process has.")


def soak_training(updates: int, folder: Path) -> list[tuple[int, int]]:
    """Trains, with evaluations and snapshots; (iterations, memory) twice a second."""
    config = mim_tf.TrainingConfig(
        batch_size=2,
        reverse_input=False,
        max_iterations=updates,
        test_interval=max(1, updates // 20),
        snapshot_interval=max(1, updates // 20),
        max_test_sequences=4,
        num_save_samples=1,
        save_dir=str(folder / "runs"),
        gen_frm_dir=str(folder / "frames"),
    )
    data = mim_tf.DataConfig(digits="bundled", train_sequences=50, valid_sequences=4)
    found, done = [], threading.Event()

    def watch():
        while not done.wait(0.5):
            found.append((len(rows(folder / "runs" / "run-001")), resident()))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    train(CONFIG, data, config)
    done.set()
    thread.join()
    return [*found, (updates, resident())]


def soak_prediction(predictions: int) -> list[tuple[int, int]]:
    """Predicts again and again, from contexts and horizons of three lengths in turn."""
    keras.utils.set_random_seed(0)
    model = mim_tf.build_model(CONFIG)
    frames = np.random.default_rng(0).random((2, 5, 32, 32, 1), np.float32)
    found = []
    for number in range(1, predictions + 1):
        length = 2 + number % 3
        mim_tf.predict(model, frames[:, :length], length)
        found.append((number, resident()))
    return found


def growth(what: str, measured: list[tuple[int, int]], count: int) -> float:
    """Memory at the end in units of that at a tenth of the way; prints both."""
    early = next(memory for number, memory in measured if number >= count // 10)
    last = measured[-1][1]
    most = max(memory for _, memory in measured)
    print(
        f"{count} {what}: {early / MEBIBYTE:.0f} MiB at 10 %, {last / MEBIBYTE:.0f} MiB at the "
        f"end, {most / MEBIBYTE:.0f} MiB at most"
    )
    return last / early


def main() -> None:
    """Prints the memory; status 1 if it grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=5000)
    parser.add_argument("--predictions", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        training = soak_training(options.updates, Path(folder))
    factors = [
        growth("updates", training, options.updates),
        growth("predictions", soak_prediction(options.predictions), options.predictions),
    ]
    if max(factors) > GROWTH:
        sys.exit(1)


if __name__ == "__main__":
    main()
