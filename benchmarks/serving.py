"""Latency, throughput and memory of an exported model.

    python benchmarks/serving.py [--requests=40] [-- --num_hidden=64,64 --img_width=32 ...]

What follows `--` describes the model, as for run.py; by default it is the paper's, with random
weights. Each row is a fresh process that runs `serve.py`: TensorFlow alone, as in a server.
"""

import math
import tempfile

from absl import app, flags
from measure import header, in_fresh_process, row

FLAGS = flags.FLAGS
flags.DEFINE_integer("requests", 40, "Sequences to send for each row, and at least two requests.")
HORIZONS = 10, 200


def exported(folder, precision, horizon, model_flags):
    """What `export_random.py` reports of a new export."""
    settings = {
        "output": f"{folder}/{precision}-{horizon}",
        "horizon": horizon,
        "precision": precision,
    }
    return in_fresh_process("export_random.py", *_as_flags(settings), *model_flags)


def served(export, batch_size, concurrent, requests):
    """What `serve.py` reports."""
    settings = {
        "batch_size": batch_size,
        "context": export["context"],
        "concurrent": concurrent,
        "requests": requests,
    }
    return in_fresh_process("serve.py", export["folder"], *_as_flags(settings))


def _as_flags(settings):
    return [f"--{name}={value}" for name, value in settings.items()]


def main(arguments):
    model_flags = arguments[1:]
    with tempfile.TemporaryDirectory() as folder:
        header("convolutions", "batch", "at a time", "p50 s", "p99 s", "sequences/s", "peak GB")
        for precision in ("float32", "bfloat16"):
            export = exported(folder, precision, HORIZONS[0], model_flags)
            for batch_size, concurrent in ((1, 1), (1, 8), (8, 1), (8, 8)):
                requests = max(FLAGS.requests // batch_size, 2 * concurrent)
                got = served(export, batch_size, concurrent, requests)
                numbers = [got[name] for name in ("p50", "p99", "sequences_per_second", "peak")]
                row(precision, batch_size, concurrent, *numbers)

        header("horizon", "peak GB at batch 8", "of which predictions")
        for horizon in HORIZONS:
            export = exported(f"{folder}/memory", "float32", horizon, model_flags)
            peak = served(export, 8, 1, 1)["peak"]
            row(horizon, peak, 8 * horizon * math.prod(export["frame"]) * 4 / 2**30)


if __name__ == "__main__":
    app.run(main)
