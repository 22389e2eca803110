"""The limits of this process: Keras settings, the faster precision, and memory."""

import contextlib
import functools
import math
import timeit
from collections.abc import Iterator

import keras
import numpy as np
from absl import logging
from keras import ops

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.layers import GateConvolution
from mim_tf.layers.cells import ConvolutionalCell
from mim_tf.runtime.backend import check_backend
from mim_tf.runtime.keras_private import layers_inside
from mim_tf.runtime.memory import machine_memory

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "float64")
"""Dtype policies a network can be built with."""


def check_settings(policy: keras.DTypePolicy) -> None:
    """Raise `MimError` for a backend, data format or policy that no network can be built with."""
    check_backend(keras.backend.backend())
    if (data_format := keras.config.image_data_format()) != "channels_last":
        raise MimError(
            f"Expected image_data_format channels_last in ~/.keras/keras.json, got {data_format}."
        )
    if policy.name not in POLICIES:
        raise MimError(
            f"Expected the dtype policy {' or '.join(POLICIES)}, got {policy.name}. Call "
            "keras.config.set_dtype_policy before the model is built."
        )
    if policy.name == "float64" and keras.backend.backend() == "jax":
        import jax

        if not jax.config.read("jax_enable_x64"):
            raise MimError("Expected JAX_ENABLE_X64=1 for the policy float64 with JAX, got none.")


@contextlib.contextmanager
def under(policy: keras.DTypePolicy) -> Iterator[None]:
    """Give `policy` to all layers that are made inside the context."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@functools.cache
def faster_precision() -> str:
    """Measure and log whether this machine convolves faster in bfloat16 or in float32.

    The measurement takes half a second. Processors with AMX are twice as fast in bfloat16; other
    processors with bfloat16 instructions are slower.
    """
    single, half = _seconds("float32"), _seconds("bfloat16")
    precision = "bfloat16" if single > 1.2 * half else "float32"  # smaller gains are not worth it
    times = f"{1000 * single:.1f} ms in float32, {1000 * half:.1f} ms in bfloat16"
    logging.info("Precision %s: a convolution takes %s.", precision, times)
    return precision


def _seconds(dtype):
    # The shortest of four runs of a convolution of the size that the paper's network has.
    states = ops.cast(np.ones((8, 16, 16, 64), np.float32), dtype)
    kernel = ops.cast(np.ones((5, 5, 64, 256), np.float32), dtype)

    def convolve():
        gates = ops.conv(states, kernel, padding="same")
        float(ops.cast(gates[0, 0, 0, 0], "float32"))  # waits for asynchronous devices

    return min(timeit.repeat(convolve, repeat=4, number=1))


def size_of(config: ModelConfig, step: keras.Model | None = None) -> tuple[int, int, int]:
    """Return lower bounds for the weights of a network, and for its states and gates.

    States are those of one sequence, gates the results of convolutions for one sequence in a time
    step. Without the built `step` the bounds hold for every network of `config`: each layer has at
    least one state, and one convolution from that state to a gate. The last layer is a 1x1
    convolution from the state to the pixels of a patch.
    """
    filters, apart = config.num_hidden[0], config.img_channel // config.step_channels
    if step is None:
        kernels = config.num_layers * config.filter_size**2 * filters**2
        states = config.num_layers * math.prod(config.grid) * filters
        last = filters * config.patch_size**2 * config.step_channels
        return kernels + last, apart * states, apart * states
    states = sum(math.prod(state.shape[1:]) for state in step.inputs[1:])
    gates = sum(
        gate.filters * math.prod(cell.grid)
        for cell in layers_inside(step)
        if isinstance(cell, ConvolutionalCell)  # of this package; others count as their states
        for gate in layers_inside(cell, recursive=False)
        if isinstance(gate, GateConvolution)
    )
    return step.count_params(), apart * states, apart * max(gates, states)


def check_prediction(
    config: ModelConfig, batch_size: int = 1, frames: int = 1, step: keras.Model | None = None
) -> None:
    """Raise `MimError` if weights, states and frames exceed the memory of this machine.

    `frames` counts context and predictions of a sequence; for `step` see `size_of`.
    """
    parameters, states, _ = size_of(config, step)
    _check_memory(
        parameters,
        weights=parameters,
        states=2 * batch_size * states,  # before and after a time step
        frames=batch_size * frames * math.prod(config.frame_shape),
    )


def check_training(
    config: ModelConfig,
    batch_size: int,
    rematerialise: bool = False,
    on_host: bool = True,
    step: keras.Model | None = None,
) -> None:
    """Raise `MimError` if a lower bound of what training needs exceeds this machine's memory.

    `on_host` is false if the gradient is computed in a GPU's memory; for `step` see `size_of`.
    """
    parameters, states, gates = size_of(config, step)
    kept = states if rematerialise else gates
    _check_memory(
        parameters,
        weights=5 * parameters,  # and their gradient, two moments and average
        gradient=on_host * batch_size * (config.total_length - 1) * kept,
        frames=batch_size * config.total_length * math.prod(config.frame_shape),
    )


def _check_memory(parameters, **counts):
    gigabytes = {name: 4 * count / 2**30 for name, count in counts.items()}  # float32
    memory, needed = (machine_memory() or 0) / 2**30, sum(gigabytes.values())
    if memory and needed > memory:
        parts = ", ".join(f"{name} {number:,.2f}" for name, number in gigabytes.items())
        raise MimError(
            f"Expected a network that fits in {memory:,.2f} GiB of memory, got {parameters:,} "
            f"parameters that need at least {needed:,.2f} GiB ({parts}). Lower num_hidden, "
            "filter_size, img_width, total_length or batch_size, or raise patch_size."
        )
