"""Settings of Keras that hold for all models of a process, as far as networks follow them."""

import contextlib
from collections.abc import Iterator

import keras

from mim_tf.backends import check_backend
from mim_tf.errors import MimError

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "float64")
"""Policies for the types of weights and of what is computed."""


def check_settings(policy: keras.DTypePolicy) -> None:
    """Raises `MimError` for a backend, data format or policy that no network can be built with."""
    check_backend(keras.backend.backend())
    if keras.config.image_data_format() != "channels_last":
        raise MimError(
            "Frames are [B, T, H, W, C], so Keras' image_data_format must be channels_last; "
            f"received {keras.config.image_data_format()}. Call "
            'keras.config.set_image_data_format("channels_last") before the model is built, or '
            "mend ~/.keras/keras.json."
        )
    if policy.name not in POLICIES:
        raise MimError(
            f"The policy must be {', '.join(POLICIES[:-1])} or {POLICIES[-1]}, received "
            f"{policy.name}. Call keras.config.set_dtype_policy before the model is built."
        )
    if policy.name == "float64" and not _has_float64():
        raise MimError("The policy float64 needs JAX_ENABLE_X64=1 with JAX; received without it.")


def _has_float64():
    if keras.backend.backend() != "jax":
        return True
    import jax

    return jax.config.jax_enable_x64


@contextlib.contextmanager
def under(policy: keras.DTypePolicy) -> Iterator[None]:
    """Layers made meanwhile have this policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
