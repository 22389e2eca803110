"""The precision that the convolutions of this machine are faster in."""

import dataclasses
import functools
import time

import numpy as np
from absl import logging
from keras import ops

from mim_tf.config import ModelConfig

WORTHWHILE = 1.2
"""How much faster bfloat16 has to be."""


def with_chosen_precision(config: ModelConfig) -> ModelConfig:
    """`config` with the faster precision where it says auto."""
    if config.precision != "auto":
        return config
    return dataclasses.replace(config, precision=faster_precision())


@functools.cache
def faster_precision() -> str:
    """ "bfloat16" where this machine convolves much faster in it than in float32, else "float32".

    Measured, in half a second: of processors with instructions for bfloat16, those with AMX are
    twice as fast in it, those without slower. What was found is logged.
    """
    single, half = _seconds("float32"), _seconds("bfloat16")
    precision = "bfloat16" if single > WORTHWHILE * half else "float32"
    logging.info(
        "Precision %s: a convolution takes %.1f ms in float32, %.1f ms in bfloat16.",
        precision,
        1000 * single,
        1000 * half,
    )
    return precision


def _seconds(dtype):
    """The shortest of a few times of a convolution as the cells of the paper's network have it."""
    states = ops.cast(np.ones((8, 16, 16, 64), np.float32), dtype)
    kernel = ops.cast(np.ones((5, 5, 64, 256), np.float32), dtype)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        gates = ops.conv(states, kernel, padding="same")
        # Waits for devices that compute while the program goes on.
        float(ops.cast(gates[0, 0, 0, 0], "float32"))
        times.append(time.perf_counter() - start)
    return min(times)
