"""The devices a network is trained on: one, all of this machine, or those of several machines."""

import atexit
import contextlib
import os
import sys

import keras
import numpy as np
from absl import logging

from mim_tf.config import DataConfig, DeviceConfig
from mim_tf.data.source import SequenceSource, filled
from mim_tf.data.split import split_paths
from mim_tf.errors import MimError
from mim_tf.models import build_model

_PEER_TIMEOUT = 30
"""Seconds without a sign of life after which another process counts as gone."""

_START_TIMEOUT = 300
"""Seconds to wait for all processes to start."""


def open_devices(config: DeviceConfig, batch_size: int):
    """The devices `config` asks for; has to come before anything is computed.

    Args:
        config: what to train on.
        batch_size: of all devices together.

    Raises:
        MimError: if the backend has no such strategy, or the batch cannot be divided.
    """
    backend = keras.backend.backend()
    if config.coordinator:
        if backend != "jax":
            raise MimError(
                "--coordinator needs the JAX backend (KERAS_BACKEND=jax): TensorFlow's "
                "MultiWorkerMirroredStrategy does not work with the fit of Keras 3, which fails "
                f"when it reduces metrics. Received the {backend} backend."
            )
        devices = _processes(config)
    elif config.strategy == "single":
        return OneDevice()
    else:
        devices = MirroredDevices() if backend == "tensorflow" else ParallelDevices()
    if batch_size % devices.count:
        raise MimError(
            f"--batch_size is that of all devices together, and must be a multiple of their "
            f"number, {devices.count}; received {batch_size}."
        )
    return devices


class OneDevice:
    """One device of one process."""

    process_id, num_processes, count = 0, 1, 1

    def __init__(self):
        self._copy = None

    def scope(self):
        """Where the model is built and compiled."""
        return contextlib.nullcontext()

    def training(self):
        """Where it is fitted. The end of another process comes out as a `MimError`."""
        return contextlib.nullcontext()

    def alone(self):
        """Within it, what is computed concerns this process only."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def evaluated(self, model, averaged: bool):
        """Yields a model on one device, with the weights of `model` or their moving averages."""
        with self.alone():
            yield self._copied(model, averaged) if averaged or self.count > 1 else model

    def gather(self, number) -> list:
        """What every process calls this with; all have to."""
        return [number]

    def _copied(self, model, averaged):
        self._copy = self._copy or build_model(model.config)
        weights = model.optimizer.averages if averaged else model.trainable_variables
        for own, weight in zip(self._copy.trainable_variables, weights, strict=True):
            own.assign(keras.ops.convert_to_numpy(weight))
        return self._copy


class MirroredDevices(OneDevice):
    """TensorFlow's MirroredStrategy on all GPUs, or else all logical CPUs, of this process."""

    def __init__(self):
        import tensorflow as tf

        super().__init__()
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

        super().__init__()
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
        # Of a computation JAX makes its own error, of gathering numbers a ValueError.
        except (JaxRuntimeError, ValueError) as error:
            lost = isinstance(error, JaxRuntimeError) or "Gloo" in str(error)
            if self.num_processes == 1 or not lost:
                raise
            atexit.register(_leave)
            raise MimError(
                "Another process of this run has ended, so that this one cannot go on. Look at "
                "what the others printed, then start all of them again with --resume. "
                f"({str(error).splitlines()[0]})"
            ) from None

    def scope(self):
        return self.training()

    def alone(self):
        return _distribution(None)

    def gather(self, number):
        from jax.experimental import multihost_utils

        return np.ravel(multihost_utils.process_allgather(np.array(number))).tolist()


def _leave():
    """Ends the process without the farewell that JAX would wait for, and end with a crash."""
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


def _processes(config):
    import jax

    known = {
        "coordinator_address": config.coordinator,
        "num_processes": config.num_processes,
        "process_id": config.process_id,
    }
    # Takes SIGTERM for itself, which run.py answers with a snapshot.
    jax.config.update("jax_enable_preemption_service", False)
    # Not keras.distribution.initialize, whose timeouts are minutes.
    try:
        jax.distributed.initialize(
            **{} if config.coordinator == "auto" else known,
            initialization_timeout=_START_TIMEOUT,
            heartbeat_timeout_seconds=_PEER_TIMEOUT,
            shutdown_timeout_seconds=_PEER_TIMEOUT,
        )
    except (ValueError, RuntimeError) as error:
        raise MimError(
            f"The processes of this run could not find each other: {str(error).splitlines()[0]} "
            "Start all of them with the same --coordinator=HOST:PORT (of process 0) and "
            "--num_processes, and each with its own --process_id; with --coordinator=auto Slurm, "
            "Open MPI or Kubernetes has to have started them."
        ) from None
    return ParallelDevices()


# MERGED: That nothing is both trained on and validated on.


_LOOKED_AT = 16


def check_overlap(train: SequenceSource, valid: SequenceSource, data: DataConfig) -> None:
    """Looks for copies: compares the first and last 16 sequences of two sources.

    A copy is an error where the two have paths of their own, and a warning where one set is
    divided, whose copies are its owner's. Still sequences are passed over.

    Args:
        train: to train on.
        valid: to validate on.
        data: what they were opened with.

    Raises:
        MimError: if one of them is in both.
    """
    if train.size is None or valid.size is None:
        return
    known = _contents(train)
    for content, index in _contents(valid).items():
        if content in known:
            copy = (
                f"Sequence {index} to validate on is sequence {known[content]} to train on, value "
                "for value"
            )
            if not split_paths(data, "train")[1]:
                raise MimError(
                    f"{copy}: no sequence may be in both. Give one path, which is then divided, or "
                    "leave the copies out of one of train_data_paths and valid_data_paths."
                )
            logging.warning("%s: scores of copies say little.", copy)
            return


def _contents(source):
    """Bytes -> index of the first and last sequences in which anything moves."""
    count = source.size
    indices = sorted({*range(min(count, _LOOKED_AT)), *range(max(0, count - _LOOKED_AT), count)})
    found = {}
    for index in indices:
        frames = filled(source.sequences(np.array([index]))[0])
        if (frames[1:] != frames[0]).any():
            found.setdefault(frames.tobytes(), index)
    return found
