"""Speed and memory of training and prediction on a GPU, JAX backend; a CPU will do, slowly.

    KERAS_BACKEND=jax python benchmarks/gpu.py [--batch_sizes=8,32] [--openstl=CHECKOUT]

Each row is a process of its own, so that its peak memory is its own. Multiply-adds are those of the
convolutions, two operations each; a training step has three times those of the forward pass. Their
rate is compared with that of a large matrix product in the same precision. With --openstl, a
checkout of OpenSTL, its MIM is measured in the same way, in PyTorch.

Precisions: float32, products in full; tf32, --precision=float32 with products rounded to
TensorFloat-32, where the GPU has it; bfloat16, --precision=bfloat16.
"""

import contextlib
import itertools
import os

os.environ["KERAS_BACKEND"] = "jax"
# JAX reserves memory, but peaks count only what is used.
os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.92")

from absl import app, flags
from measure import MeasurementError, header, in_fresh_process, median_time, report, row, timed

FLAGS = flags.FLAGS
flags.DEFINE_list("batch_sizes", ["8", "16", "32", "64", "128"], "Sequences in a batch.")
flags.DEFINE_list("channels", ["64", "128"], "Channels of a layer.")
flags.DEFINE_list("precisions", ["float32", "tf32", "bfloat16"], "See above.")
flags.DEFINE_integer("layers", 4, "Layers.")
flags.DEFINE_integer("img_width", 64, "Height and width of the frames.")
flags.DEFINE_integer("total_length", 20, "Frames of a sequence, half of them context.")
flags.DEFINE_integer("patch_size", 4, "Side of a patch.")
flags.DEFINE_integer("steps", 10, "Timed updates, forward passes and products.")
flags.DEFINE_integer("matrix", 8192, "Rows and columns of the large matrices.")
flags.DEFINE_string("openstl", "", "A checkout of OpenSTL, to measure its MIM too.")
flags.DEFINE_enum(
    "measure",
    "",
    ["", "product", "mim_tf", "OpenSTL"],
    "What a process started by this one measures, in the first of each list.",
)

COLUMNS = (
    *("network", "channels", "batch", "precision"),
    *("training, sequences/s", "TFLOP/s", "of product"),
    *("forward, sequences/s", "TFLOP/s", "of product"),
    *("compilation, s", "peak, GB"),
)

# To what JAX rounds the factors of float32 products; None: as it likes.
ROUNDING = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": None}


def measure_product(precision: str) -> dict:
    """The rate of a large matrix product in JAX."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_default_matmul_precision", ROUNDING[precision])
    dtype = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
    shape = FLAGS.matrix, FLAGS.matrix
    a, b = (jax.random.normal(jax.random.key(seed), shape, dtype) for seed in (0, 1))
    product = jax.jit(jnp.matmul)

    def several():
        jax.block_until_ready([product(a, b) for _ in range(FLAGS.steps)])

    several()
    return {
        "tflops": 2 * FLAGS.matrix**3 * FLAGS.steps / timed(several) / 1e12,
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
    }


def measure_mim_tf(channels: int, batch_size: int, precision: str) -> dict:
    """Seconds of training and forward pass, peak GB and multiply-adds of a sequence, forward."""
    import jax
    import keras
    from networks import multiply_adds

    import mim_tf

    # Without it, too little memory in the first update is hidden behind a later error.
    keras.config.disable_traceback_filtering()
    jax.config.update("jax_default_matmul_precision", ROUNDING[precision])
    config = mim_tf.ModelConfig(
        num_hidden=(channels,) * FLAGS.layers,
        img_width=FLAGS.img_width,
        patch_size=FLAGS.patch_size,
        input_length=FLAGS.total_length // 2,
        total_length=FLAGS.total_length,
        precision="bfloat16" if precision == "bfloat16" else "float32",
    )
    shape = batch_size, config.total_length, *config.frame_shape
    frames = jax.random.uniform(jax.random.key(0), shape)
    model = mim_tf.build_model(config)
    mim_tf.compile_for_training(model)
    compilation, step = measure_training(model, frames)
    # A CPU has no statistics of its memory.
    peak = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    return {
        "compile": compilation,
        "step": step,
        "peak": peak and peak / 2**30,
        "forward": measure_forward(model, frames),
        "multiply_adds": multiply_adds(model),
    }


def measure_training(model, frames):
    """Seconds of compilation and of an update.

    An update is the difference between `fit` of many and of one, over their number: what `fit`
    does once does not count, and no update waits for the host.
    """
    import jax

    targets = frames[:, 1:]

    def batches():
        while True:
            yield frames, targets

    def fit(updates):
        model.fit(batches(), steps_per_epoch=updates, shuffle=False, verbose=0)
        jax.block_until_ready([weight.value for weight in model.weights])

    first = timed(lambda: fit(1))
    with never_compiling():
        one = timed(lambda: fit(1))
        many = timed(lambda: fit(1 + FLAGS.steps))
    return first - one, (many - one) / FLAGS.steps


def measure_forward(model, frames):
    """Seconds of predicting the second half of sequences from the first, with it on the host."""
    context, horizon = frames[:, : model.config.input_length], model.config.horizon
    model.forecast_batch(context, horizon)
    with never_compiling():
        return median_time(lambda: model.forecast_batch(context, horizon), FLAGS.steps)


@contextlib.contextmanager
def never_compiling():
    """Raises an error where something was compiled in it, and so timed."""
    import jax

    compiled = []

    def listen(event, duration, **_):
        if "backend_compile" in event:
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield
    jax.monitoring.unregister_event_duration_listener(listen)
    if compiled:
        raise RuntimeError(f"{len(compiled)} programs were compiled while a step was timed")


def measure_openstl(channels: int, batch_size: int, precision: str) -> dict:
    """As `measure_mim_tf`, of OpenSTL's MIM."""
    import openstl_mim

    return openstl_mim.measure(FLAGS, channels, batch_size, precision)


def in_own_process(measure: str, precision, channels=0, batch_size=0, timeout=None) -> dict:
    """Measure one configuration in a process of at most `timeout` seconds."""
    names = ("layers", "img_width", "total_length", "patch_size", "steps", "matrix", "openstl")
    return in_fresh_process(
        "gpu.py",
        f"--measure={measure}",
        f"--precisions={precision}",
        f"--channels={channels}",
        f"--batch_sizes={batch_size}",
        *(f"--{name}={FLAGS[name].value}" for name in names),
        timeout=timeout,
    )


def product_rate(precision: str) -> float | None:
    """TFLOP/s of the matrix product; prints it as a row."""
    try:
        numbers = in_own_process("product", precision)
    except MeasurementError as error:
        row(precision, str(error), None, None)
        return None
    row(precision, numbers["tflops"], numbers["device"], numbers["jax"])
    return numbers["tflops"]


def show_network(network: str, channels, batch_size, precision, rate) -> None:
    """Measures a configuration and prints its row."""
    cells = network, channels, batch_size, precision
    try:
        numbers = in_own_process(network, precision, channels, batch_size)
    except MeasurementError as error:
        row(*cells, str(error), *[None] * 7)
        return
    row(*cells, *speeds(batch_size, numbers, rate))


def speeds(batch_size, numbers: dict, rate: float | None) -> tuple:
    """The cells of a row under `COLUMNS` after its first four.

    Args:
        batch_size: sequences in a batch.
        numbers: as from `measure_mim_tf`.
        rate: TFLOP/s of the matrix product; None: not known.
    """
    forward_flop = 2 * numbers["multiply_adds"]
    sequences = int(batch_size) / numbers["step"], int(batch_size) / numbers["forward"]
    tflops = 3 * forward_flop * sequences[0] / 1e12, forward_flop * sequences[1] / 1e12
    shares = [f"{each / rate:.0%}" if rate else None for each in tflops]
    return (
        *(sequences[0], tflops[0], shares[0]),
        *(sequences[1], tflops[1], shares[1]),
        *(numbers["compile"], numbers["peak"]),
    )


def show_all() -> None:
    """Prints the tables of products and networks."""
    header("precision", f"product of {FLAGS.matrix}x{FLAGS.matrix}, TFLOP/s", "device", "JAX")
    rates = {precision: product_rate(precision) for precision in FLAGS.precisions}
    header(*COLUMNS)
    for channels, precision, batch_size, network in configurations():
        show_network(network, channels, batch_size, precision, rates[precision])


def configurations() -> list[tuple[str, str, str, str]]:
    """(channels, precision, batch size, network) of all rows."""
    networks = ["mim_tf", "OpenSTL"] if FLAGS.openstl else ["mim_tf"]
    return list(itertools.product(FLAGS.channels, FLAGS.precisions, FLAGS.batch_sizes, networks))


def main(_):
    configuration = int(FLAGS.channels[0]), int(FLAGS.batch_sizes[0]), FLAGS.precisions[0]
    if FLAGS.measure == "product":
        report(measure_product(FLAGS.precisions[0]))
    elif FLAGS.measure == "mim_tf":
        report(measure_mim_tf(*configuration))
    elif FLAGS.measure == "OpenSTL":
        report(measure_openstl(*configuration))
    else:
        show_all()


if __name__ == "__main__":
    app.run(main)
