"""The devices of a training run: one, all of this machine, or those of several processes."""

import atexit
import contextlib
import os
import sys

import keras
import numpy as np
from absl import logging

from mim_tf.config import DeviceConfig
from mim_tf.errors import MimError
from mim_tf.models import build_model


def open_devices(config: DeviceConfig, batch_size: int) -> "OneDevice":
    """Return the devices of `config`. Call it before any computation.

    `batch_size` counts the sequences per update on all devices together. `MimError` is raised if
    the backend does not support the devices or the batch is not divisible.
    """
    backend = keras.backend.backend()
    if config.coordinator and backend != "jax":
        raise MimError(f"Expected KERAS_BACKEND=jax with --coordinator, got {backend}.")
    if config.coordinator:
        _join_processes(config)
    elif config.strategy == "single":
        return OneDevice()
    devices = MirroredDevices() if backend == "tensorflow" else ParallelDevices()
    if batch_size % devices.count:
        raise MimError(f"Expected a --batch_size divisible by {devices.count}, got {batch_size}.")
    return devices


def has_accelerator() -> bool:
    """Return whether Keras computes on any device other than a CPU."""
    return any("cpu" not in name.lower() for name in keras.distribution.list_devices())


class OneDevice:
    """One device of one process."""

    process_id, num_processes, count = 0, 1, 1
    _copy = None

    def scope(self) -> contextlib.AbstractContextManager:
        """Return the context in which the model is built and compiled."""
        return contextlib.nullcontext()

    def training(self) -> contextlib.AbstractContextManager:
        """Return the context of `fit`; a lost process raises `MimError` there."""
        return contextlib.nullcontext()

    def alone(self) -> contextlib.AbstractContextManager:
        """Return the context of a computation in this process only."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def evaluated(self, model, averaged: bool):
        """Yield a model on one device, with the weights of `model` or their moving averages."""
        with self.alone():
            if not averaged and self.count == 1:
                yield model
                return
            self._copy = self._copy or build_model(model.config)
            averages = model.optimizer.averages if averaged else model.trainable_variables
            pairs = [
                *zip(self._copy.trainable_variables, averages, strict=True),
                *zip(self._copy.non_trainable_weights, model.non_trainable_weights, strict=True),
            ]
            for own, weight in pairs:
                own.assign(keras.ops.convert_to_numpy(weight))
            yield self._copy

    def gather(self, number) -> list:
        """Return the argument of every process; all processes have to call it."""
        return [number]


class MirroredDevices(OneDevice):
    """TensorFlow's MirroredStrategy on all GPUs, or else all logical CPUs, of this process."""

    def __init__(self):
        import tensorflow as tf

        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        self._strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
        self.count = len(devices)
        logging.info("Training on %d devices of this machine.", self.count)

    def scope(self):
        return self._strategy.scope()


class ParallelDevices(OneDevice):
    """Keras' DataParallel on all devices of all processes; JAX backend."""

    def __init__(self):
        import jax

        self._distribution = keras.distribution.DataParallel(auto_shard_dataset=False)
        self.process_id, self.num_processes = jax.process_index(), jax.process_count()
        self.count = jax.device_count()
        logging.info("Training on %d devices of %d processes.", self.count, self.num_processes)

    @contextlib.contextmanager
    def training(self):
        from jax.errors import JaxRuntimeError

        try:
            with _distribution(self._distribution):
                yield
        # A lost process raises JaxRuntimeError in a computation, ValueError in `gather`.
        except (JaxRuntimeError, ValueError) as error:
            lost = isinstance(error, JaxRuntimeError) or "Gloo" in str(error)
            if self.num_processes == 1 or not lost:
                raise
            atexit.register(_leave)
            raise MimError(
                f"Another process of this run has ended ({str(error).splitlines()[0]}). Read the "
                "output of the others, then start all of them again with --resume."
            ) from None

    def scope(self):
        return self.training()

    def alone(self):
        return _distribution(None)

    def gather(self, number):
        from jax.experimental import multihost_utils

        return np.ravel(multihost_utils.process_allgather(np.array(number))).tolist()


def _leave():
    # JAX's own exit handlers would wait for the lost process and then crash.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


@contextlib.contextmanager
def _distribution(distribution):
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(distribution)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def _join_processes(config):
    import jax

    # This service would take SIGTERM, on which `StopInOrder` writes a snapshot.
    jax.config.update("jax_enable_preemption_service", False)
    found = (config.coordinator, config.num_processes, config.process_id)
    # Timeouts are in seconds. keras.distribution.initialize has timeouts of minutes.
    try:
        jax.distributed.initialize(
            *(() if config.coordinator == "auto" else found),
            initialization_timeout=300,
            heartbeat_timeout_seconds=30,
            shutdown_timeout_seconds=30,
        )
    except (ValueError, RuntimeError) as error:
        raise MimError(
            f"Expected all processes of the run, got: {str(error).splitlines()[0]} Start each with "
            "the same --coordinator=HOST:PORT and --num_processes, and its own --process_id. "
            "--coordinator=auto needs Slurm, Open MPI or Kubernetes."
        ) from None
