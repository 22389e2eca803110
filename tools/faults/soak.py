"""Train and predict for long, and compare the memory in use early on and at the end.

python -m tools.faults.soak --updates=5000 --predictions=500
"""

import argparse
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import mim_tf
from mim_tf.cli.main import main as mim
from tools.faults.lives import FLAGS, rows

MEBIBYTE = 2**20
GROWTH = 1.05
"""Largest ratio of the memory at the end and at a tenth of the way."""


def resident() -> int:
    """Return the bytes of memory of this process; Linux."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("Not tried: this system does not say how much memory a process has.")


def soak_training(updates: int, folder: Path) -> list[tuple[int, int]]:
    """Train, with evaluations and snapshots; return iterations and memory, twice a second."""
    found, done = [], threading.Event()

    def watch():
        while not done.wait(0.5):
            found.append((len(rows(folder / "runs" / "run-001")), resident()))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    often = max(1, updates // 20)
    flags = f"--max_iterations={updates} --test_interval={often} --snapshot_interval={often}"
    places = f"--save_dir={folder}/runs --gen_frm_dir={folder}/frames"
    mim(["train", *f"{FLAGS} {flags} {places}".split()])
    done.set()
    thread.join()
    return [*found, (updates, resident())]


def soak_prediction(predictions: int) -> Iterator[tuple[int, int]]:
    """Predict from contexts of three lengths in turn; yield number and memory of each."""
    config = mim_tf.ModelConfig(
        model_name="predrnn", img_width=32, patch_size=8, num_hidden=(4,), filter_size=3
    )
    model = mim_tf.build_model(config)
    frames = np.random.default_rng(0).random((2, 5, 32, 32, 1), np.float32)
    for number in range(1, predictions + 1):
        length = 2 + number % 3
        mim_tf.predict(model, frames[:, :length], length)
        yield number, resident()


def main() -> None:
    """Print the memory; exit with 1 if it grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=5000)
    parser.add_argument("--predictions", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = {"updates": soak_training(options.updates, Path(folder))}
    measured["predictions"] = list(soak_prediction(options.predictions))
    grown = False
    for what, points in measured.items():
        count = getattr(options, what)
        early = next(memory for number, memory in points if number >= count // 10)
        last, most = points[-1][1], max(memory for _, memory in points)
        parts = (f"{size / MEBIBYTE:.0f} MiB" for size in (early, last, most))
        print(f"{count} {what}: {{}} at 10 %, {{}} at the end, {{}} at most".format(*parts))
        grown |= last / early > GROWTH
    sys.exit(grown)


if __name__ == "__main__":
    main()
