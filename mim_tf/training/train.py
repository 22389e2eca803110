"""A training run."""

import contextlib
import dataclasses
from pathlib import Path

import keras
from absl import logging

from mim_tf.config import DataConfig, DeviceConfig, ModelConfig, TrainingConfig
from mim_tf.data.batches.by_backend import errors_of, training_dataset
from mim_tf.data.describe import describe_splits
from mim_tf.data.open import open_source
from mim_tf.data.scale_fit import warn_of_kept_scale
from mim_tf.data.split import SPLITS
from mim_tf.errors import MimError
from mim_tf.evaluation.score_set import scores_for
from mim_tf.json_file import read_json
from mim_tf.models import build_model
from mim_tf.models.registry import uses_scheduled_sampling
from mim_tf.models.size import check_training
from mim_tf.new_path import check_writable
from mim_tf.runs.folder import RECORD, has_state, held, new_run_folder
from mim_tf.runs.record import check_network_module, update_record, write_record
from mim_tf.start_up import skip_graph_rewriting
from mim_tf.training.compile import compile_for_training
from mim_tf.training.devices import open_devices
from mim_tf.training.divergence import Divergence
from mim_tf.training.events import Events
from mim_tf.training.initial_bias import draw_biases
from mim_tf.training.logs import Logs, RestartedMean
from mim_tf.training.optimizer import make_optimizer
from mim_tf.training.out_of_memory import memory_errors
from mim_tf.training.overlap import check_overlap
from mim_tf.training.progress import ProgressBar
from mim_tf.training.report import Report
from mim_tf.training.snapshots import Snapshots
from mim_tf.training.state import load_state
from mim_tf.training.stop import StopInOrder
from mim_tf.training.validation import Evaluation
from mim_tf.weights import load_weights


def train(
    model_config: ModelConfig,
    data_config: DataConfig,
    config: TrainingConfig,
    device_config: DeviceConfig | None = None,
    pretrained_model: str = "",
    resume: Path | None = None,
) -> Path | None:
    """Trains a network, evaluates it on the way and keeps a record of it all.

    Args:
        model_config: what to train.
        data_config: what on.
        config: how.
        device_config: where; by default on one device.
        pretrained_model: a weights file to start from; iterations and scheduled sampling start
            at the beginning all the same.
        resume: the folder of a run to go on with, from its last snapshot or else from the start.
            Its weights are at the end those of a run that was never interrupted.

    Returns:
        The folder of the run; None in processes other than the first, which writes it.

    Raises:
        MimError: for the policy mixed_float16, for data or weights that do not fit, for a network
            or batch beyond the memory of this machine, if the run to go on with is being trained
            already, or if another process of the run ends.
    """
    if keras.config.dtype_policy().name == "mixed_float16":
        raise MimError(
            "Runs are trained in float32, mixed_bfloat16 or float64, received the policy "
            'mixed_float16. Call keras.config.set_dtype_policy("mixed_bfloat16"), or train with '
            "build_model and fit."
        )
    skip_graph_rewriting()
    devices = open_devices(device_config or DeviceConfig(), config.batch_size)
    if config.on_nan != "stop" and devices.count > 1:
        raise MimError(
            f"on_nan={config.on_nan} works on one device, received {devices.count}. Leave it out."
        )
    with contextlib.ExitStack() as until_end:
        if resume and devices.process_id == 0:
            until_end.enter_context(held(resume))
        return _train(
            model_config, data_config, config, devices, pretrained_model, resume, until_end
        )


def _train(model_config, data_config, config, devices, pretrained_model, resume, until_end):
    updates = config.updates_per_iteration
    if config.scheduled_sampling is None:
        sampled = uses_scheduled_sampling(model_config.model_name)
        config = dataclasses.replace(config, scheduled_sampling=sampled)
    share = config.batch_size // devices.num_processes
    check_training(model_config, share, config.rematerialise, on_host=not _has_accelerator())
    keras.utils.set_random_seed(config.seed)
    if pretrained_model and not resume:
        warn_of_kept_scale(model_config.scale, data_config)
    sources = {"train": open_source(data_config, model_config, "train")}
    # What is fitted to the training split, all splits share, and the weights keep.
    found = {
        name: getattr(sources["train"], name) for name in ("scale", "frame_step", "frame_grid")
    }
    model_config = dataclasses.replace(model_config, **found)
    for split in SPLITS[1:]:
        sources[split] = open_source(data_config, model_config, split)
    if devices.process_id == 0 and config.num_save_samples:
        check_writable(config.gen_frm_dir)
    train_source, valid_source = sources["train"], sources["valid"]
    check_overlap(train_source, valid_source, data_config)
    scores_for(valid_source, config.protocol)  # fails now rather than at the first evaluation

    folder = resume
    if folder and not has_state(folder):  # killed before its first snapshot
        pretrained_model = read_json(folder / RECORD).get("pretrained_model", pretrained_model)
    with devices.scope():
        model = _initial_model(model_config, config, pretrained_model)
        if folder and has_state(folder):
            load_state(model, folder)
    if folder and devices.process_id == 0:
        check_network_module(folder, model.config)
    start = int(keras.ops.convert_to_numpy(model.optimizer.iterations)) // updates
    _check_agreement(devices.gather(start), config.save_dir)
    if devices.process_id > 0:
        folder = None
    elif not folder:
        folder = new_run_folder(config.save_dir)
        until_end.enter_context(held(folder))
        records = {split: sources[split].describe() for split in ("train", "valid")}
        write_record(folder, model.config, data_config, config, records, pretrained_model)
    if start >= config.max_iterations:
        logging.info("%s has already reached iteration %d.", folder, start)
        _make_up_evaluation(model, config, start, folder, valid_source, devices)
        return folder
    if resume and folder:
        update_record(folder, data_config, config)
    if folder:
        print(describe_splits(sources))
        logging.info("%s: iterations %d to %d", folder, start + 1, config.max_iterations)

    # Filtered, an error in the first update, such as too little memory, would not be seen on JAX
    # for the one that Keras makes when it cleans up after it.
    keras.config.disable_traceback_filtering()
    with (
        devices.training(),
        memory_errors(),
        errors_of(train_source) as source,
        _callbacks(config, start, folder, train_source.size, valid_source, devices) as callbacks,
    ):
        keras.Model.fit(  # not the model's own, which loads one more batch, to look at it
            model,
            training_dataset(
                source,
                config,
                start,
                (devices.process_id, devices.num_processes),
                model_config.input_length,
            ),
            steps_per_epoch=(config.max_iterations - start) * updates,
            shuffle=False,  # the data set is shuffled already
            verbose=0,
            callbacks=callbacks,
        )
    return folder


def _has_accelerator():
    return any("cpu" not in name.lower() for name in keras.distribution.list_devices())


def _initial_model(model_config, config, pretrained_model):
    model = build_model(model_config, config.rematerialise)
    draw_biases(model, config.initial_bias, config.seed)
    if pretrained_model:
        load_weights(model, pretrained_model)
        logging.info("Weights of %s; iterations start at 1.", pretrained_model)
    optimizer = make_optimizer(config, model_config.num_hidden[0])
    compile_for_training(model, optimizer=optimizer)
    return model


def _check_agreement(starts, save_dir):
    if len(set(starts)) > 1:
        raise MimError(
            f"All processes must go on from the same snapshot, received iterations {starts} from "
            f"processes 0, 1, ...: save_dir ({save_dir}) must be a folder that all of them share."
        )


def _make_up_evaluation(model, config, start, folder, valid_source, devices):
    """Evaluates a run that was killed between its last snapshot and its last scores."""
    if folder:
        with contextlib.closing(Events(folder, start)) as writer:
            bar = ProgressBar(config, start)
            evaluation = Evaluation(config, start, folder, writer, valid_source, devices, bar)
            evaluation.set_model(model)
            evaluation.make_up()


@contextlib.contextmanager
def _callbacks(config, start, folder, train_size, valid_source, devices):
    divergence = Divergence(config, start, folder, train_size)
    stop = StopInOrder(config, start, devices)
    everywhere = [RestartedMean(config, start), stop]
    with contextlib.ExitStack() as until_end:
        until_end.enter_context(stop.listening())
        if not folder:
            yield [divergence, *everywhere]
            return
        writer = until_end.enter_context(contextlib.closing(Events(folder, start)))
        bar = until_end.enter_context(contextlib.closing(ProgressBar(config, start)))
        # The snapshot comes first, so that no evaluation can lose what was learnt.
        yield [
            divergence,
            Logs(config, start, folder, writer, bar),
            Snapshots(config, start, folder, devices),
            Evaluation(config, start, folder, writer, valid_source, devices, bar),
            Report(config, start, folder),
            *everywhere,
        ]
