"""Kills a training again and again, resumes it, and compares its end with that of one never killed.

python -m tests.faults.kill_resume --kills=20
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from mim_tf.runs import STATE

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--img_width=32",
    "--patch_size=8",
    "--num_hidden=4,4",
    "--filter_size=3",
    "--input_length=3",
    "--total_length=6",
    "--digits=bundled",
    "--train_sequences=7",
    "--valid_sequences=3",
    "--batch_size=2",
    "--test_interval=5",
    "--snapshot_interval=2",
    "--num_save_samples=1",
]
_START = 60
"""Seconds in which a resumed process has written its first row, at most."""


def command(folder: Path, iterations: int) -> list[str]:
    """That trains a tiny network in `folder`, or goes on with it."""
    folders = [f"--save_dir={folder / 'runs'}", f"--gen_frm_dir={folder / 'frames'}"]
    flags = [*FLAGS, *folders, f"--max_iterations={iterations}", "--resume"]
    return [sys.executable, str(ROOT / "run.py"), *flags]


def kill_once(folder: Path, iterations: int, delay: float) -> bool:
    """Starts it and kills it `delay` seconds after it began to train; False if it ended first."""
    run = folder / "runs" / "run-001"
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command(folder, iterations), stdout=log, stderr=log)
    before = _time_of(run / "lock")
    end = time.monotonic() + _START
    while process.poll() is None and _time_of(run / "lock") == before and time.monotonic() < end:
        time.sleep(0.05)
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    if process.returncode:
        raise SystemExit(f"A resumed run failed: {(folder / 'log').read_text()[-2000:]}")
    return False


def _time_of(path):
    return path.stat().st_mtime_ns if path.exists() else 0


def differences(one: Path, other: Path) -> list[str]:
    """Names of what is not the same, bit for bit, in the states, logs and scores of two runs."""
    found = []
    with h5py.File(one / STATE) as first, h5py.File(other / STATE) as second:

        def compare(name, item):
            if isinstance(item, h5py.Dataset):
                same = name in second and np.array_equal(item[()], second[name][()])
                found.extend([] if same else [name])

        first.visititems(compare)
    for name in ("best.json", *(str(p.relative_to(one)) for p in one.glob("scores/*/*.csv"))):
        if not (other / name).exists() or (one / name).read_bytes() != (other / name).read_bytes():
            found.append(name)
    if _rows(one) != _rows(other):
        found.append("train.csv")
    return found


def _rows(run):
    """Of `train.csv`, without the seconds they took."""
    lines = (run / "train.csv").read_text().splitlines()
    return [line.rsplit(",", 2)[0] for line in lines]


def main() -> None:
    """Prints how many kills there were and what differs; status 1 if anything does, or too few."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as parent:
        folders = [Path(parent) / name for name in ("killed", "uninterrupted")]
        for folder in folders:
            folder.mkdir()
        killed, kills = folders[0], 0
        while kills < options.kills and kill_once(killed, options.iterations, draw.uniform(0, 9)):
            kills += 1
            print(f"kill {kills}", flush=True)
        for folder in folders:
            subprocess.run(command(folder, options.iterations), check=True, capture_output=True)
        found = differences(*(folder / "runs" / "run-001" for folder in folders))
        runs = [path.name for path in (killed / "runs").iterdir()]
    print(
        f"{kills} kills of {options.kills}, runs {runs}, different: {', '.join(found) or 'nothing'}"
    )
    if found or runs != ["run-001"] or kills < options.kills:
        sys.exit(1)


if __name__ == "__main__":
    main()
