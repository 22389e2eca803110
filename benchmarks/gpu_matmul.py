"""Rate of a large matrix product in JAX; for benchmarks/gpu.py."""

import jax
import jax.numpy as jnp
from absl import app
from gpu_flags import FLAGS, PRECISIONS, define_precision
from measure import report, timed


def main(_):
    jax.config.update("jax_default_matmul_precision", PRECISIONS[FLAGS.precision])
    dtype = jnp.bfloat16 if FLAGS.precision == "bfloat16" else jnp.float32
    shape = FLAGS.matrix, FLAGS.matrix
    a, b = (jax.random.normal(jax.random.key(seed), shape, dtype) for seed in (0, 1))
    product = jax.jit(jnp.matmul)

    def several():
        jax.block_until_ready([product(a, b) for _ in range(FLAGS.times)])

    several()
    operations = 2 * FLAGS.matrix**3 * FLAGS.times
    report(
        {
            "tflops": operations / timed(several) / 1e12,
            "device": jax.devices()[0].device_kind,
            "jax": jax.__version__,
        }
    )


if __name__ == "__main__":
    from absl.flags import DEFINE_integer

    define_precision()
    DEFINE_integer("matrix", 8192, "Rows and columns.")
    DEFINE_integer("times", 10, "Timed products.")
    app.run(main)
