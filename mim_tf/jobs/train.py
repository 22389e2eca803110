"""A training run, from its configurations to a folder with weights, scores and a record."""

import contextlib
import dataclasses
import time
from pathlib import Path

import keras
import numpy as np
from absl import logging

from mim_tf.config import DataConfig, DeviceConfig, ModelConfig, TrainingConfig
from mim_tf.data.batches import errors_of, training_dataset
from mim_tf.data.dataset import open_source
from mim_tf.data.scale_fit import warn_of_kept_scale
from mim_tf.data.source import SequenceSource, describe_splits, filled
from mim_tf.data.split import SPLITS, split_paths
from mim_tf.errors import MimError
from mim_tf.evaluation.protocols import scores_for
from mim_tf.jobs.pace import iterations_within
from mim_tf.jobs.validation import PageWriter, Validation
from mim_tf.models import build_model
from mim_tf.models.machine import check_training
from mim_tf.models.registry import find_network
from mim_tf.runs.folder import RECORD, has_state, held, new_run_folder
from mim_tf.runs.record import check_network_module, update_record, write_record
from mim_tf.runtime.backend import skip_graph_rewriting
from mim_tf.runtime.memory import memory_errors
from mim_tf.storage.files import read_json
from mim_tf.storage.paths import check_writable
from mim_tf.training.callbacks import (
    Divergence,
    Events,
    Logs,
    ProgressBar,
    Snapshots,
    StopInOrder,
)
from mim_tf.training.devices import has_accelerator, open_devices
from mim_tf.training.optimizers import compile_for_training, draw_biases, make_optimizer
from mim_tf.training.state import load_state
from mim_tf.weights import load_weights


def train(
    model_config: ModelConfig,
    data_config: DataConfig,
    config: TrainingConfig,
    device_config: DeviceConfig | None = None,
    pretrained_model: str = "",
    resume: Path | None = None,
) -> Path | None:
    """Train a network with regular evaluations, and keep a record of the run.

    Args:
        model_config: the network.
        data_config: the data.
        config: the training.
        device_config: the devices; default: one device.
        pretrained_model: a weights file to start from. Iterations and scheduled sampling start at
            the beginning.
        resume: the folder of a run to continue from its last snapshot, or from the start if it
            has none. The final weights equal those of an uninterrupted run.

    Returns:
        The folder of the run; None in processes other than the first, which writes the folder.

    Raises:
        MimError: for the policy mixed_float16, data or weights that do not fit, a training that
            exceeds the memory of this machine, a run that another process trains, and a lost
            process.
    """
    if keras.config.dtype_policy().name == "mixed_float16":
        raise MimError(
            "Expected the policy float32, mixed_bfloat16 or float64 for a run, got mixed_float16. "
            'Call keras.config.set_dtype_policy("mixed_bfloat16").'
        )
    began = time.perf_counter()
    skip_graph_rewriting()
    devices = open_devices(device_config or DeviceConfig(), config.batch_size)
    if config.on_nan != "stop" and devices.count > 1:
        raise MimError(
            f"Expected one device with --on_nan={config.on_nan}, got {devices.count}. Leave "
            "--on_nan out."
        )
    if config.scheduled_sampling is None:
        sampled = find_network(model_config.model_name).scheduled_sampling
        config = dataclasses.replace(config, scheduled_sampling=sampled)
    keras.utils.set_random_seed(config.seed)
    with contextlib.ExitStack() as until_end:
        if resume and devices.process_id == 0:
            until_end.enter_context(held(resume))
        memory = config.batch_size // devices.num_processes, config.rematerialise
        on_host = not has_accelerator()
        check_training(model_config, *memory, on_host)
        if pretrained_model and not resume:
            warn_of_kept_scale(model_config.scale, data_config)
        model_config, sources = _open_sources(model_config, data_config)
        if devices.process_id == 0 and config.num_save_samples:
            check_writable(config.gen_frm_dir)
        scores_for(sources["valid"], config.protocol)  # raises for thresholds beyond the scale
        if config.max_minutes and not resume:
            config = _with_iterations(config, model_config, sources, devices, began)

        folder = resume
        if folder and not has_state(folder):  # killed before its first snapshot
            pretrained_model = read_json(folder / RECORD).get("pretrained_model", pretrained_model)
        with devices.scope():
            model = _initial_model(model_config, config, pretrained_model)
            if folder and has_state(folder):
                load_state(model, folder)
        check_training(model_config, *memory, on_host, model.step)
        start = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
        start //= config.updates_per_iteration
        if len(set(starts := devices.gather(start))) > 1:
            raise MimError(
                f"Expected the same snapshot in all processes, got iterations {starts}. Use a "
                f"--save_dir that all processes share, not {config.save_dir}."
            )
        if devices.process_id > 0:
            folder = None
        elif folder:
            check_network_module(folder, model.config)
            if start < config.max_iterations:
                update_record(folder, data_config, config)
        else:
            folder = new_run_folder(config.save_dir)
            until_end.enter_context(held(folder))
            records = {split: sources[split].describe() for split in ("train", "valid")}
            write_record(folder, model.config, data_config, config, records, pretrained_model)
        if start >= config.max_iterations:
            logging.info("%s has already reached iteration %d.", folder, start)
            if folder:  # perhaps killed between the last snapshot and its scores
                with contextlib.closing(Events(folder, start)) as writer:
                    validation = Validation(
                        config, start, folder, writer, sources["valid"], devices
                    )
                    validation.set_model(model)
                    validation.make_up()
        else:
            if folder:
                print(describe_splits(sources))
                logging.info("%s: iterations %d to %d", folder, start + 1, config.max_iterations)
            _fit(model, config, start, folder, sources, devices)
        return folder


def _open_sources(model_config, data_config):
    """Return the configuration completed by the training split, and the source of each split.

    The scale is fitted to the training split. The other splits use that scale, and the weights keep
    it with the step and grid of the frames.
    """
    train_source = open_source(data_config, model_config, "train")
    model_config = dataclasses.replace(
        model_config,
        scale=train_source.scale,
        frame_step=train_source.frame_step,
        frame_grid=train_source.frame_grid,
    )
    sources = {split: open_source(data_config, model_config, split) for split in SPLITS[1:]}
    check_overlap(train_source, sources["valid"], data_config)
    return model_config, {"train": train_source, **sources}


def _with_iterations(config, model_config, sources, devices, began):
    """Return `config` with no more than the `max_iterations` that fit into `max_minutes`."""
    if devices.num_processes > 1:
        raise MimError(
            f"Expected one process with --max_minutes, got {devices.num_processes}. Give "
            "--max_iterations instead."
        )
    minutes = f"{config.max_minutes:g} minutes"
    print(f"Measuring the pace of this machine, to train for {minutes} ...")
    with devices.scope():
        model = _initial_model(model_config, config, "")
    spent = time.perf_counter() - began
    iterations = iterations_within(
        config.max_minutes, spent, model, config, sources["train"], sources["valid"]
    )
    iterations = min(iterations, config.max_iterations)
    print(f"This run trains for {iterations} iterations and ends within {minutes} of its start.")
    keras.utils.set_random_seed(config.seed)  # measuring drew random numbers
    return dataclasses.replace(config, max_iterations=iterations)


def _initial_model(model_config, config, pretrained_model):
    model = build_model(model_config, config.rematerialise)
    draw_biases(model, config.initial_bias, config.seed)
    if pretrained_model:
        load_weights(model, pretrained_model)
        logging.info("Weights of %s; iterations start at 1.", pretrained_model)
    optimizer = make_optimizer(config, model_config.num_hidden[0])
    compile_for_training(model, optimizer=optimizer)
    return model


def _fit(model, config, start, folder, sources, devices):
    # On JAX, Keras hides the error of a first update, such as out of memory, behind an error of its
    # own clean-up. The unfiltered traceback contains both.
    keras.config.disable_traceback_filtering()
    shard = devices.process_id, devices.num_processes
    updates = (config.max_iterations - start) * config.updates_per_iteration
    with (
        devices.training(),
        memory_errors(),
        errors_of(sources["train"]) as source,
        _callbacks(config, start, folder, sources, devices) as callbacks,
    ):
        model.fit(
            training_dataset(source, config, start, shard, model.config.input_length),
            check_arrays=False,  # would read the first batch twice
            steps_per_epoch=updates,
            shuffle=False,  # the data set is already shuffled
            verbose=0,
            callbacks=callbacks,
        )


@contextlib.contextmanager
def _callbacks(config, start, folder, sources, devices):
    divergence = Divergence(config, start, folder, sources["train"].size)
    stop = StopInOrder(config, start, devices)
    with contextlib.ExitStack() as until_end:
        until_end.enter_context(stop.listening())
        if not folder:
            yield [divergence, stop]
            return
        writer = until_end.enter_context(contextlib.closing(Events(folder, start)))
        bar = until_end.enter_context(contextlib.closing(ProgressBar(config, start)))
        # Keras calls them in this order. A diverged update must not be logged or saved. The
        # snapshot precedes the evaluation, so that no evaluation can lose what was learnt. The page
        # shows the scores. The first and the last concern all processes.
        yield [
            divergence,
            Logs(config, start, folder, writer, bar),
            Snapshots(config, start, folder, devices),
            Validation(config, start, folder, writer, sources["valid"], devices, bar),
            PageWriter(config, start, folder),
            stop,
        ]


_COMPARED = 16


def check_overlap(train: SequenceSource, valid: SequenceSource, data: DataConfig) -> None:
    """Compare the first and last 16 sequences of both sources; ignore still sequences.

    Duplicates raise `MimError` if the splits have different paths, and log a warning if one path
    was divided.
    """
    if train.size is None or valid.size is None:
        return
    known = _contents(train)
    copy = next((pair for pair in _contents(valid).items() if pair[0] in known), None)
    if copy is None:
        return
    message = f"Validation sequence {copy[1]} equals training sequence {known[copy[0]]}"
    if split_paths(data, "train")[1]:
        logging.warning("%s: scores of duplicates mean little.", message)
    else:
        raise MimError(
            f"{message}. Remove duplicates from --train_data_paths or --valid_data_paths, or give "
            "one path, which is then divided."
        )


def _contents(source):
    """Return bytes -> index of the compared sequences in which anything moves."""
    count = source.size
    indices = sorted({*range(min(count, _COMPARED)), *range(max(0, count - _COMPARED), count)})
    found = {}
    for index in indices:
        frames = filled(source.sequences(np.array([index]))[0])
        if (frames[1:] != frames[0]).any():
            found.setdefault(frames.tobytes(), index)
    return found
