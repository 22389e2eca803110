"""Latency, throughput and memory of an exported model.

    python benchmarks/serving.py [--requests=40] [-- --num_hidden=64,64 --img_width=32 ...]

What follows `--` describes the model, as for run.py; by default it is the paper's, with random
weights. Each row is a fresh process that runs `serve.py`: TensorFlow alone, as in a server.

Threads 2x1 are two operations at a time with one thread each. The first table is of one sequence
at a time; the threads that are quickest there are used in all others. The last one has, beside the
peak, how much of it a longer horizon adds beyond the predictions themselves.
"""

import itertools
import math
import os
import tempfile

from absl import app, flags
from measure import header, in_fresh_process, row

CORES = os.cpu_count()
FLAGS = flags.FLAGS
flags.DEFINE_integer("requests", 40, "Sequences to send for each row, and at least two requests.")
flags.DEFINE_list(
    "threads",
    list(dict.fromkeys([f"1x{CORES}", f"2x{max(1, CORES // 2)}", f"2x{CORES}", f"{CORES}x1"])),
    "Threads to choose from: operations at a time x threads of an operation.",
)
HORIZONS = 10, 200
LOADS = tuple(itertools.product((1, 8), (1, 8)))
"""Batch size, requests at a time."""


def exported(folder, model_flags, **settings):
    """Export a network and return the report of `export_network.py`."""
    return in_fresh_process(
        "export_network.py", f"--output={folder}", *_as_flags(settings), *model_flags
    )


def served(export, threads, batch_size, concurrent, requests):
    """Return the report of `serve.py`."""
    settings = {
        "threads": threads,
        "batch_size": batch_size,
        "context": export["context"],
        "concurrent": concurrent,
        "requests": requests,
    }
    return in_fresh_process("serve.py", export["folder"], *_as_flags(settings))


def _as_flags(settings):
    return [f"--{name}={value}" for name, value in settings.items()]


def quickest_threads(export):
    """Prints the table of threads and returns the best."""
    header("threads", "p50 s", "p99 s")
    medians = {}
    for threads in FLAGS.threads:
        got = served(export, threads, 1, 1, FLAGS.requests)
        row(threads, got["p50"], got["p99"])
        medians[threads] = got["p50"]
    return min(medians, key=medians.get)


def show_speed(export, threads, precision, freeze):
    """Prints the rows of an export."""
    for batch_size, concurrent in LOADS:
        requests = max(FLAGS.requests // batch_size, 2 * concurrent)
        got = served(export, threads, batch_size, concurrent, requests)
        numbers = [got[name] for name in ("p50", "p99", "sequences_per_second", "peak")]
        row(precision, "yes" if freeze else "no", batch_size, concurrent, *numbers)


def show_memory(folder, model_flags, threads):
    """Prints the peak of one request with each horizon."""
    header("horizon", "peak GB at batch 8", "of which predictions", "more beside them")
    first = None
    for horizon in HORIZONS:
        export = exported(folder, model_flags, horizon=horizon)
        peak = served(export, threads, 8, 1, 1)["peak"]
        predictions = 8 * horizon * math.prod(export["frame"]) * 4 / 2**30
        first = peak - predictions if first is None else first
        row(horizon, peak, predictions, peak - predictions - first)


def main(arguments):
    model_flags = arguments[1:]
    with tempfile.TemporaryDirectory() as folder:
        exports = {
            (precision, freeze): exported(
                folder, model_flags, precision=precision, freeze=freeze, horizon=HORIZONS[0]
            )
            for precision in ("float32", "bfloat16")
            for freeze in (False, True)
        }
        threads = quickest_threads(exports["float32", False])
        print(f"\nThreads of all that follows: {threads}.")
        header(
            *("convolutions", "--freeze", "batch", "at a time"),
            *("p50 s", "p99 s", "sequences/s", "peak GB"),
        )
        for (precision, freeze), export in exports.items():
            show_speed(export, threads, precision, freeze)
        show_memory(folder, model_flags, threads)


if __name__ == "__main__":
    app.run(main)
