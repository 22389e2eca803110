"""Sequences per second of every kind of data, against those a training step takes.

    python benchmarks/inputs.py [--training_rate=5] [--only=radar]

Each row runs benchmarks/feed.py on files made for it, every sequence learnt forwards only. Unless
--training_rate is given, it is measured for the network of the experiment in the row, in bfloat16,
by benchmarks/training_step.py. Files are in the memory of the operating system when they are read.
"""

import dataclasses
import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

import input_files
from absl import app, flags, logging
from measure import EXPERIMENTS, MeasurementError, header, in_fresh_process, row

FLAGS = flags.FLAGS
flags.DEFINE_float("training_rate", None, "Sequences per second to compare with.")
flags.DEFINE_integer("sequences", 200, "In a made file, or about as many.")
flags.DEFINE_float("seconds", 5, "How long to measure each after the first epoch.")
flags.DEFINE_integer("steps", 3, "Timed training steps.")
flags.DEFINE_string("only", "", "Measure the rows that have this in their name.")


@dataclasses.dataclass(frozen=True)
class Input:
    """A row: name, experiment, what makes its files, flags of run.py."""

    name: str
    experiment: str
    maker: Callable | None = None
    flags: tuple[str, ...] = ()


RADAR = "radar.cfg"
COLOR = "mnist_color.cfg"
INPUTS = (
    Input("Moving MNIST, generated", "moving_mnist.cfg"),
    Input("Moving MNIST, .npz", "moving_mnist.cfg", input_files.moving_mnist_npz),
    Input("Moving MNIST, .npy", "moving_mnist.cfg", input_files.moving_mnist_npy),
    Input("colour Moving MNIST, generated", COLOR),
    Input("colour Moving MNIST, .npz", COLOR, input_files.color_moving_mnist_npz),
    Input("array, .npy", COLOR, input_files.arrays, ("--dataset=array",)),
    Input("videos, 160x120 to 64x64", COLOR, input_files.videos, ("--dataset=folder", "--resize")),
    Input("TaxiBJ, synthetic city", "taxibj.cfg", flags=("--taxibj_synthetic",)),
    Input("Human3.6M, JPEG of 1000x1000", "human36m.cfg", input_files.human36m),
    Input("radar, .npy", RADAR, input_files.radar_arrays),
    Input("radar, .npy, missing values", RADAR, input_files.radar_arrays, ("--radar_missing=nan",)),
    Input("radar, PNG", RADAR, input_files.radar_pictures),
)


@functools.cache
def training_rate(experiment: str) -> float:
    """Sequences per second that training takes, one update for each."""
    if FLAGS.training_rate:
        return FLAGS.training_rate
    numbers = in_fresh_process(
        "training_step.py",
        f"--flagfile={EXPERIMENTS / experiment}",
        "--precision=bfloat16",
        f"--steps={FLAGS.steps}",
        "--training_only",
        "--json",
    )
    return numbers["batch_size"] / numbers["step"]


def feed(each: Input, folder: Path) -> dict:
    """Return the measurements of feed.py."""
    arguments = list(each.flags)
    if each.maker:
        arguments.append(f"--train_data_paths={each.maker(folder, FLAGS.sequences)}")
    elif "mnist" in each.experiment:
        arguments.append("--digits=bundled")
    return in_fresh_process(
        "feed.py",
        f"--flagfile={EXPERIMENTS / each.experiment}",
        "--noreverse_input",
        f"--seconds={FLAGS.seconds}",
        f"--most={FLAGS.sequences}",
        "--json",
        *arguments,
    )


def main(_):
    logging.set_verbosity(logging.WARNING)
    header(
        *("data", "sequence", "first epoch, sequences/s", "later", "experiment"),
        *("training, sequences/s", "first / training", "later / training"),
    )
    for each in INPUTS:
        if FLAGS.only not in each.name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                numbers, rate = feed(each, Path(folder)), training_rate(each.experiment)
            except MeasurementError as error:
                row(each.name, str(error), *[None] * 6)
                continue
        first, later = numbers["first"], numbers["later"]
        shape = "x".join(map(str, numbers["shape"]))
        row(each.name, shape, first, later, each.experiment, rate, first / rate, later / rate)


if __name__ == "__main__":
    app.run(main)
