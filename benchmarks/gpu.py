"""Speed and memory of training and prediction on a GPU, JAX backend; a CPU will do, slowly.

    KERAS_BACKEND=jax python benchmarks/gpu.py [--batch_sizes=8,32] [--openstl=CHECKOUT]

A training row is a process of its own (benchmarks/gpu_step.py), so that its peak memory is its own.
Multiply-adds are those of the convolutions, two operations each; a training step has three times
those of the forward pass. Their rate is compared with that of a large matrix product in the same
precision. With --openstl, a checkout of OpenSTL, its MIM is measured in the same way, in PyTorch
(benchmarks/openstl_step.py).

Precisions: float32, products in full; tf32, --precision=float32 with products rounded to
TensorFloat-32, where the GPU has it; bfloat16, --precision=bfloat16.
"""

import itertools
import os

os.environ["KERAS_BACKEND"] = "jax"
# Peaks are counted; what JAX reserves does not show in them.
os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.92")

from absl import app, flags
from measure import MeasurementError, header, in_fresh_process, row

FLAGS = flags.FLAGS
flags.DEFINE_list("batch_sizes", ["8", "16", "32", "64", "128"], "Sequences in a batch.")
flags.DEFINE_list("channels", ["64", "128"], "Channels of a layer.")
flags.DEFINE_list("precisions", ["float32", "tf32", "bfloat16"], "See above.")
flags.DEFINE_integer("layers", 4, "Layers.")
flags.DEFINE_integer("img_width", 64, "Height and width of the frames.")
flags.DEFINE_integer("total_length", 20, "Frames of a sequence, half of them context.")
flags.DEFINE_integer("patch_size", 4, "Side of a patch.")
flags.DEFINE_integer("steps", 10, "Timed updates and forward passes.")
flags.DEFINE_integer("matrix", 8192, "Rows and columns of the large matrices.")
flags.DEFINE_string("openstl", "", "A checkout of OpenSTL, to measure its MIM too.")


def product_rate(precision: str):
    """TFLOP/s of the matrix product; prints it as a row."""
    try:
        numbers = in_fresh_process(
            "gpu_matmul.py", f"--precision={precision}", f"--matrix={FLAGS.matrix}"
        )
    except MeasurementError as error:
        row(precision, str(error), None, None)
        return None
    row(precision, numbers["tflops"], numbers["device"], numbers["jax"])
    return numbers["tflops"]


def measured(program: str, channels, batch_size, precision, rate):
    """Prints the row of a configuration."""
    name, script, *arguments = program
    cells = name, channels, batch_size, precision
    try:
        numbers = in_fresh_process(
            script,
            f"--channels={channels}",
            f"--batch_size={batch_size}",
            f"--precision={precision}",
            f"--layers={FLAGS.layers}",
            f"--img_width={FLAGS.img_width}",
            f"--total_length={FLAGS.total_length}",
            f"--patch_size={FLAGS.patch_size}",
            f"--steps={FLAGS.steps}",
            *arguments,
        )
    except MeasurementError as error:
        row(*cells, str(error), *[None] * 7)
        return
    forward_flop = 2 * numbers["multiply_adds"]
    sequences = int(batch_size) / numbers["step"], int(batch_size) / numbers["forward"]
    tflops = 3 * forward_flop * sequences[0] / 1e12, forward_flop * sequences[1] / 1e12
    shares = [f"{each / rate:.0%}" if rate else None for each in tflops]
    row(
        *cells,
        *(sequences[0], tflops[0], shares[0]),
        *(sequences[1], tflops[1], shares[1]),
        *(numbers["compile"], numbers["peak"]),
    )


def main(_):
    programs = [("mim_tf", "gpu_step.py")]
    if FLAGS.openstl:
        programs.append(("OpenSTL", "openstl_step.py", f"--openstl={FLAGS.openstl}"))
    header("precision", f"product of {FLAGS.matrix}x{FLAGS.matrix}, TFLOP/s", "device", "JAX")
    rates = {precision: product_rate(precision) for precision in FLAGS.precisions}
    header(
        *("network", "channels", "batch", "precision"),
        *("training, sequences/s", "TFLOP/s", "of product"),
        *("forward, sequences/s", "TFLOP/s", "of product"),
        *("compilation, s", "peak, GB"),
    )
    configurations = itertools.product(
        FLAGS.channels, FLAGS.precisions, FLAGS.batch_sizes, programs
    )
    for channels, precision, batch_size, program in configurations:
        measured(program, channels, batch_size, precision, rates[precision])


if __name__ == "__main__":
    app.run(main)
