"""Peak memory and time of a training step over frame size, length and batch size.

    python benchmarks/memory.py [--rematerialise=False,True] [--precision=float32,bfloat16] ...

Every row is a process of its own, which runs benchmarks/training_step.py. Exponents are slopes of
least-squares lines: log of memory, or of the time of a step, over log of pixels, frames or
sequences. The memory fitted is the peak less what the process had before it built the network.
"""

import itertools

from absl import app, flags
from measure import EXPERIMENTS, MeasurementError, exponent, header, in_fresh_process, row

FLAGS = flags.FLAGS
flags.DEFINE_list("sizes", ["32", "64", "128"], "Heights and widths of the frames.")
flags.DEFINE_list("lengths", ["10", "20", "40"], "Frames of a sequence, half of them context.")
flags.DEFINE_list("batch_sizes", ["4", "8", "16"], "Sequences in a batch.")
flags.DEFINE_integer("size", 64, "Height and width where length or batch vary.")
flags.DEFINE_integer("length", 20, "Frames where size or batch vary.")
flags.DEFINE_integer("batch_size", 8, "Sequences where size or length vary.")
flags.DEFINE_list("rematerialise", ["False", "True"], "Values of --rematerialise to measure.")
flags.DEFINE_list("precision", ["float32"], "Values of --precision to measure.")
flags.DEFINE_string("num_hidden", "64,64,64,64", "Channels of the layers; not of the large ones.")
flags.DEFINE_integer("patch_size", 4, "Side of a patch; not of the large ones.")
flags.DEFINE_integer("steps", 1, "Timed steps after the first; their median is in the table.")
flags.DEFINE_boolean("large", True, "Measure two large networks too.")
flags.DEFINE_float("limit", 12, "GB in which the large networks have to train.")

COLUMNS = ("frames", "length", "batch", "rematerialise", "base, GB", "peak, GB", "step, s")
# Name, experiment, and what is different from it.
LARGE = (
    ("Human3.6M, 128x128x3, 4 -> 4", "human36m.cfg", {"rematerialise": False}),
    (
        "radar, 256x256x1, 10 -> 10",
        "radar.cfg",
        {"img_width": 256, "batch_size": 4, "rematerialise": True},
    ),
)


def training_step(**settings) -> dict:
    """Return the measurements of training_step.py."""
    arguments = [f"--{name}={value}" for name, value in settings.items()]
    return in_fresh_process(
        "training_step.py", *arguments, f"--steps={FLAGS.steps}", "--training_only", "--json"
    )


def point(size, length, batch_size, rematerialise, precision):
    """Prints a row; returns GB above the base and seconds of a step, None if it failed."""
    cells = f"{size}x{size}x1", length, batch_size, rematerialise
    try:
        numbers = training_step(
            img_width=size,
            total_length=length,
            input_length=length // 2,
            batch_size=batch_size,
            rematerialise=rematerialise,
            precision=precision,
            num_hidden=FLAGS.num_hidden,
            patch_size=FLAGS.patch_size,
        )
    except MeasurementError as error:
        row(*cells, None, str(error), None)
        return None
    row(*cells, numbers["base"], numbers["peak"], numbers["step"])
    return numbers["peak"] - numbers["base"], numbers["step"]


def sweep(rematerialise, precision):
    """Prints the table of a setting, then that of its exponents."""
    sizes, lengths, batch_sizes = (
        sorted(map(int, values)) for values in (FLAGS.sizes, FLAGS.lengths, FLAGS.batch_sizes)
    )
    lines = {
        "pixels": {size**2: (size, FLAGS.length, FLAGS.batch_size) for size in sizes},
        "frames": {length: (FLAGS.size, length, FLAGS.batch_size) for length in lengths},
        "sequences": {number: (FLAGS.size, FLAGS.length, number) for number in batch_sizes},
    }
    print(f"\nprecision {precision}, rematerialise {rematerialise}:")
    header(*COLUMNS)
    keys = dict.fromkeys(itertools.chain(*(line.values() for line in lines.values())))
    points = {key: point(*key, rematerialise, precision) for key in keys}
    header("over", "values", "exponent of memory above base", "exponent of time")
    for name, line in lines.items():
        found = {value: points[key] for value, key in line.items() if points[key]}
        fits = [exponent(found, values) for values in zip(*found.values(), strict=True)]
        row(name, ", ".join(map(str, found)), *fits if len(found) > 1 else (None, None))


def large(name, experiment, settings):
    """Prints whether the network of an experiment trains within the limit."""
    cells = [name, settings["rematerialise"]]
    try:
        numbers = training_step(flagfile=EXPERIMENTS / experiment, **settings)
    except MeasurementError as error:
        row(*cells, None, str(error), None, "no")
        return
    fits = "yes" if numbers["peak"] < FLAGS.limit else "no"
    row(*cells, numbers["batch_size"], numbers["peak"], numbers["step"], fits)


def main(_):
    for precision, rematerialise in itertools.product(FLAGS.precision, FLAGS.rematerialise):
        sweep(rematerialise, precision)
    if FLAGS.large:
        limit = f"under {FLAGS.limit:g} GB"
        print(f"\nfloat32, networks of experiments/{', '.join(each[1] for each in LARGE)}:")
        header("network", "rematerialise", "batch", "peak, GB", "step, s", limit)
        for each in LARGE:
            large(*each)


if __name__ == "__main__":
    app.run(main)
