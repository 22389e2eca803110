"""Training and forward pass of one configuration in JAX; for benchmarks/gpu.py."""

import contextlib

import jax
import jax.numpy as jnp
import keras
from absl import app
from gpu_flags import FLAGS, PRECISIONS, define_flags
from measure import median_time, report, timed
from networks import multiply_adds

import mim_tf


def configuration():
    """The `ModelConfig` of the flags."""
    return mim_tf.ModelConfig(
        num_hidden=(FLAGS.channels,) * FLAGS.layers,
        img_width=FLAGS.img_width,
        patch_size=FLAGS.patch_size,
        input_length=FLAGS.total_length // 2,
        total_length=FLAGS.total_length,
        precision="bfloat16" if FLAGS.precision == "bfloat16" else "float32",
    )


def measure_training(model, frames):
    """Seconds of compilation and of an update.

    An update is the difference between `fit` of many and of one, over their number: what `fit`
    does once does not count, and no update waits for the host.
    """
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
    horizon = model.config.horizon
    inputs = {
        "context": frames[:, : model.config.input_length],
        "horizon": jnp.zeros((len(frames), horizon)),
    }
    model.open_loop.predict_on_batch(inputs)
    with never_compiling():
        return median_time(lambda: model.open_loop.predict_on_batch(inputs), FLAGS.steps)


@contextlib.contextmanager
def never_compiling():
    """Raises an error where something was compiled in it, and so timed."""
    compiled = []

    def listen(event, duration, **_):
        if "backend_compile" in event:
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield
    jax.monitoring.unregister_event_duration_listener(listen)
    if compiled:
        raise RuntimeError(f"{len(compiled)} programs were compiled while a step was timed")


def main(_):
    # Without it, too little memory in the first update is hidden behind a later error.
    keras.config.disable_traceback_filtering()
    jax.config.update("jax_default_matmul_precision", PRECISIONS[FLAGS.precision])
    config = configuration()
    shape = FLAGS.batch_size, config.total_length, *config.frame_shape
    frames = jax.random.uniform(jax.random.key(0), shape)
    model = mim_tf.build_model(config)
    mim_tf.compile_for_training(model)
    compilation, step = measure_training(model, frames)
    # A CPU has no statistics of its memory.
    statistics = jax.devices()[0].memory_stats() or {}
    peak = statistics.get("peak_bytes_in_use")
    report(
        {
            "compile": compilation,
            "step": step,
            "peak": peak and peak / 2**30,
            "forward": measure_forward(model, frames),
            "multiply_adds": multiply_adds(model),
        }
    )


if __name__ == "__main__":
    define_flags()
    app.run(main)
