"""A training run, from its configurations to a folder with weights, scores and a record."""

import contextlib
import dataclasses
import math
import time
import timeit
from pathlib import Path

import keras
import numpy as np
from absl import logging

from mim_tf.config import DataConfig, DeviceConfig, ModelConfig, TrainingConfig
from mim_tf.data.batches import errors_of, training_dataset
from mim_tf.data.batches.order import evaluated
from mim_tf.data.dataset import open_source
from mim_tf.data.scale_fit import warn_of_kept_scale
from mim_tf.data.source import SequenceSource, common_times, describe_splits, filled
from mim_tf.data.split import SPLITS, is_test_validation, split_paths
from mim_tf.errors import MimError
from mim_tf.evaluation.protocols import scores_for
from mim_tf.jobs.evaluate import evaluate
from mim_tf.jobs.validation import Validation
from mim_tf.models import build_model
from mim_tf.models.machine import check_training
from mim_tf.models.registry import find_network
from mim_tf.runs.folder import RECORD, has_state, held, new_run_folder
from mim_tf.runs.record import check_unchanged, update_record, whole_path, write_record
from mim_tf.runtime.backend import skip_graph_rewriting
from mim_tf.runtime.memory import memory_errors
from mim_tf.storage.files import read_json
from mim_tf.storage.paths import check_writable
from mim_tf.training import callbacks
from mim_tf.training.devices import has_accelerator, open_devices
from mim_tf.training.optimizers import compile_for_training, draw_biases, make_optimizer
from mim_tf.training.state import load_state
from mim_tf.weights import load_weights

_FIT = {"check_arrays": False, "shuffle": False, "verbose": 0}
"""Arguments of `fit`: checks would read the first batch twice; the data is already shuffled."""

MEASURED = 6
"""Iterations measured at each length of sequences; the first of them is left out."""

_KEPT_FREE = 0.05
"""Share of the minutes for what is not measured: pictures, reports, a machine that slows down."""


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
        device_config: the devices; by default one.
        pretrained_model: a weights file to start from. Iterations and scheduled sampling start at
            the beginning.
        resume: the folder of a run to continue from its last snapshot, or from the start if it
            has none. The final weights equal those of an uninterrupted run.

    Returns:
        The folder of the run; None in processes other than the first, which writes the folder.

    Raises:
        MimError: for the policy mixed_float16, data or weights that do not fit, a training that
            exceeds the memory, a run that another process trains, and a lost process.
    """
    if keras.config.dtype_policy().name == "mixed_float16":
        raise MimError(
            "Expected another dtype policy than mixed_float16. Call "
            'keras.config.set_dtype_policy("mixed_bfloat16").'
        )
    began = time.perf_counter()
    skip_graph_rewriting()
    devices = open_devices(device_config or DeviceConfig(), config.batch_size)
    if config.on_nan != "stop" and devices.count > 1:
        raise MimError(f"Expected one device with --on_nan={config.on_nan}, got {devices.count}.")
    if config.clip_norm and devices.count > 1 and keras.backend.backend() == "tensorflow":
        # Keras would limit the gradient of each device before it adds them.
        raise MimError(f"Expected one device, or JAX, with --clip_norm, got {devices.count}.")
    if config.scheduled_sampling is None:
        sampled = find_network(model_config.model_name).scheduled_sampling
        config = dataclasses.replace(config, scheduled_sampling=sampled)
    keras.utils.set_random_seed(config.seed)
    with contextlib.ExitStack() as until_end:
        if resume and devices.process_id == 0:
            until_end.enter_context(held(resume))
        share = config.batch_size // devices.num_processes
        memory = share, config.rematerialise, not has_accelerator()
        check_training(model_config, *memory)
        if pretrained_model and not resume:
            warn_of_kept_scale(model_config.scale, data_config)
        model_config, sources = _open_sources(model_config, data_config)
        if devices.process_id == 0:
            check_writable(config.gen_frm_dir)
        scores_for(sources["valid"], config.protocol)  # raises for thresholds beyond the scale
        if config.max_minutes and not resume:
            config = _with_iterations(config, model_config, sources, devices, began)

        folder = resume
        if folder:
            begun = read_json(folder / RECORD).get("pretrained_model", pretrained_model)
            if pretrained_model and whole_path(pretrained_model) != whole_path(begun):
                raise MimError(
                    f"--pretrained_model: expected {begun or 'none'}, with which the run to resume "
                    f"was started, got {pretrained_model}. Leave it out, or start a new run."
                )
            # The state has the weights, unless the run was killed before its first snapshot.
            pretrained_model = "" if has_state(folder) else begun
        with devices.scope():
            model = _initial_model(model_config, config, pretrained_model)
            if folder and has_state(folder):
                load_state(model, folder)
        check_training(model_config, *memory, model.step)
        start = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
        start //= config.updates_per_iteration
        if len(set(starts := devices.gather(start))) > 1:
            raise MimError(f"--save_dir must be shared: processes resume from {starts}.")
        records = {split: sources[split].describe() for split in ("train", "valid")}
        if devices.process_id > 0:
            folder = None
        elif folder:
            check_unchanged(folder, model.config, records)
            if start < config.max_iterations:
                update_record(folder, data_config, config)
        else:
            folder = new_run_folder(config.save_dir)
            until_end.enter_context(held(folder))
            records["valid"]["is_test"] = is_test_validation(data_config)
            write_record(folder, model.config, data_config, config, records, pretrained_model)
        if start < config.max_iterations:
            if folder:
                print(describe_splits(sources))
                logging.info("%s: iterations %d to %d", folder, start + 1, config.max_iterations)
            _fit(model, config, start, folder, sources, devices)
        elif folder:
            logging.info("%s has already reached iteration %d.", folder, start)
            # It may have been killed between the last snapshot and its scores.
            writer = until_end.enter_context(contextlib.closing(callbacks.Events(folder, start)))
            validation = Validation(config, start, folder, writer, sources["valid"], devices)
            validation.set_model(model)
            validation.on_train_begin()
        return folder


def _open_sources(model_config, data_config):
    """Return the configuration completed by the training split, and the source of each split.

    The scale is fitted to the training split. The other splits use that scale, and the weights keep
    it with the step and grid of the frames.
    """
    train_source = open_source(data_config, model_config, "train")
    known = {name: getattr(train_source, name) for name in ("scale", "frame_step", "frame_grid")}
    model_config = dataclasses.replace(model_config, **known)
    sources = {split: open_source(data_config, model_config, split) for split in SPLITS[1:]}
    check_overlap(train_source, sources["valid"], data_config)
    if is_test_validation(data_config):
        logging.warning(
            "The validation sequences are also the test sequences: the best weights are chosen by "
            "the sequences that mim evaluate scores, so their scores are too good."
        )
    return model_config, {"train": train_source, **sources}


def _with_iterations(config, model_config, sources, devices, began):
    """Return `config` with no more than the `max_iterations` that fit into `max_minutes`."""
    if devices.num_processes > 1:
        raise MimError("Expected one process with --max_minutes. Give --max_iterations instead.")
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
    compile_for_training(model, optimizer=optimizer, loss=config.loss)
    return model


def _fit(model, config, start, folder, sources, devices):
    # On JAX, Keras hides the error of a first update, such as out of memory, behind an error of its
    # own clean-up. The unfiltered traceback contains both.
    keras.config.disable_traceback_filtering()
    shard = devices.process_id, devices.num_processes
    stop = callbacks.StopInOrder(config, start, devices)
    with (
        devices.training(),
        memory_errors(),
        errors_of(sources["train"]) as source,
        stop.listening(),
        contextlib.ExitStack() as until_end,
    ):
        # Keras calls them in this order. A diverged update must not be logged or saved. The
        # snapshot precedes the evaluation, so that no evaluation can lose what was learnt. The last
        # one concerns all processes and waits for the slowest.
        wanted = [callbacks.Divergence(config, start, folder, source.size)]
        if folder:
            writer = until_end.enter_context(contextlib.closing(callbacks.Events(folder, start)))
            bar = until_end.enter_context(contextlib.closing(callbacks.ProgressBar(config, start)))
            validation = Validation(config, start, folder, writer, sources["valid"], devices, bar)
            wanted += [
                callbacks.Pace(config, start),
                callbacks.Logs(config, start, folder, writer, bar),
                callbacks.Snapshots(config, start, folder, devices),
                validation,
            ]
        model.fit(
            training_dataset(source, config, start, shard, model.config.input_length),
            steps_per_epoch=(config.max_iterations - start) * config.updates_per_iteration,
            callbacks=[*wanted, stop],
            **_FIT,
        )
    if folder:
        validation.check()


def iterations_within(minutes: float, spent: float, model, config, train_source, valid_source):
    """Measure the pace of `model` and return how many iterations end within `minutes`.

    The minutes go from the start of the run, `spent` seconds ago, to its last evaluation. The
    compiled model is trained on the way, so it cannot be used afterwards.
    """
    began = time.perf_counter()
    updates, lengths = config.updates_per_iteration, 2 if config.short_share else 1
    share = 0.5 if lengths == 2 else 0
    trial = dataclasses.replace(config, max_iterations=lengths * MEASURED, short_share=share)
    times: list[float] = []

    def note(*_, **logs):
        times.append(time.perf_counter())

    clock = keras.callbacks.LambdaCallback(on_train_begin=note, on_train_batch_end=note)
    with errors_of(train_source) as source:
        model.fit(
            training_dataset(source, trial, input_length=model.config.input_length),
            steps_per_epoch=trial.max_iterations * updates,
            callbacks=[clock],
            **_FIT,
        )
    seconds = np.diff(times)  # of each update, its batch's loading included
    half = len(seconds) // lengths
    full, short = (updates * part[updates:].mean() for part in (seconds[-half:], seconds[:half]))
    iteration = config.short_share * short + (1 - config.short_share) * full
    tracing, evaluation = _seconds_of_evaluation(model, config, valid_source)
    # The network of the run itself is traced once more, as in the first update; JAX compiles it
    # for each length.
    spent += time.perf_counter() - began + seconds[::half].sum() + tracing
    left = 60 * minutes * (1 - _KEPT_FREE) - spent - evaluation
    return max(1, math.floor(left / (iteration + evaluation / config.test_interval)))


def _seconds_of_evaluation(model, config, source):
    """Return how much longer the first evaluation takes, and how long each takes."""
    count = len(evaluated(source, config.max_test_sequences))
    batch = min(config.batch_size, count)
    one_batch = dataclasses.replace(config, max_test_sequences=batch, num_save_samples=0)
    first, second = timeit.repeat(lambda: evaluate(model, source, one_batch), number=1, repeat=2)
    return max(0, first - second), second * math.ceil(count / batch)


_COMPARED = 16


def check_overlap(train: SequenceSource, valid: SequenceSource, data: DataConfig) -> None:
    """Compare the first and last 16 sequences of both sources; ignore still sequences.

    Duplicates raise `MimError` if the splits have different paths, and log a warning if one path
    was divided. Fields of the same times log one, too: they may be of two simulations.
    """
    shared = split_paths(data, "train")[1]
    if not shared and (common := common_times(train.describe(), valid.describe())):
        logging.warning(
            "Training has fields of the times of validation, %s. Scores of fields trained on mean "
            "little: if both are of one record, give the times to one of the splits.",
            ", ".join(common[:3]),
        )
    if train.size is None or valid.size is None:
        return
    known, others = _contents(train), _contents(valid)
    if not (copies := known.keys() & others.keys()):
        return
    copy = copies.pop()
    message = f"Validation sequence {others[copy]} equals training sequence {known[copy]}"
    if not shared:
        raise MimError(f"{message}. Remove it from --train_data_paths or --valid_data_paths.")
    logging.warning("%s: scores of duplicates mean little.", message)


def _contents(source):
    """Return bytes -> index of the compared sequences in which anything moves."""
    every, found = range(source.size), {}
    for index in {*every[:_COMPARED], *every[-_COMPARED:]}:
        frames = filled(source.sequences(np.array([index]))[0])
        if (frames[1:] != frames[0]).any():
            found[frames.tobytes()] = index
    return found
