"""Answers requests with an exported model, as a server would, and prints how fast; JSON.

    python benchmarks/serve.py EXPORT/1 --threads=2x1 --batch_size=8 --concurrent=8 --requests=20

TensorFlow alone: neither Keras nor mim_tf is loaded.
"""

import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from absl import app, flags
from measure import peak_gigabytes, report

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "threads", "0x0", "Operations at a time x threads of an operation; 0: TensorFlow's choice."
)
flags.DEFINE_integer("batch_size", 1, "Sequences in a request.")
flags.DEFINE_integer("context", 10, "Frames of a sequence.")
flags.DEFINE_integer("concurrent", 1, "Requests at a time.")
flags.DEFINE_integer("requests", 20, "Requests to time, after one for each at a time.")


def main(arguments):
    operations, each = map(int, FLAGS.threads.split("x"))
    tf.config.threading.set_inter_op_parallelism_threads(operations)
    tf.config.threading.set_intra_op_parallelism_threads(each)
    model = tf.saved_model.load(arguments[1])
    predict = model.signatures["serving_default"]
    shape = predict.structured_input_signature[1]["frames"].shape[2:]
    frames = np.random.default_rng(0).random((FLAGS.batch_size, FLAGS.context, *shape), np.float32)
    request = tf.constant(frames)

    def latency(_):
        start = time.perf_counter()
        predict(frames=request)["predictions"].numpy()
        return time.perf_counter() - start

    with ThreadPoolExecutor(FLAGS.concurrent) as clients:
        list(clients.map(latency, range(FLAGS.concurrent)))
        start = time.perf_counter()
        seconds = sorted(clients.map(latency, range(FLAGS.requests)))
        wall = time.perf_counter() - start
    report(
        {
            "p50": statistics.median(seconds),
            "p99": float(np.quantile(seconds, 0.99)),
            "sequences_per_second": FLAGS.requests * FLAGS.batch_size / wall,
            "peak": peak_gigabytes(),
        }
    )
    sys.stdout.flush()


if __name__ == "__main__":
    app.run(main)
