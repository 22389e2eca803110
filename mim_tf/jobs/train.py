"""A training run."""

import contextlib
import dataclasses
import math
from pathlib import Path

import keras
from absl import logging
from tqdm import tqdm

from mim_tf.config import DataConfig, DeviceConfig, ModelConfig, TrainingConfig
from mim_tf.data.batches import errors_of, training_dataset
from mim_tf.data.dataset import open_source
from mim_tf.data.scale_fit import warn_of_kept_scale
from mim_tf.data.source import describe_splits
from mim_tf.data.split import SPLITS
from mim_tf.errors import MimError
from mim_tf.evaluation.pictures import film_strip, save_sample
from mim_tf.evaluation.score_set import scores_for
from mim_tf.evaluation.stored import format_scores, write_scores
from mim_tf.jobs.evaluate import evaluate
from mim_tf.models import build_model
from mim_tf.models.registry import uses_scheduled_sampling
from mim_tf.models.size import check_training
from mim_tf.report.pages import write_report_or_warn
from mim_tf.runs.folder import RECORD, has_state, held, new_run_folder, pictures_folder
from mim_tf.runs.record import check_network_module, update_record, write_record
from mim_tf.runtime.backend import skip_graph_rewriting
from mim_tf.runtime.memory import memory_errors
from mim_tf.storage.files import read_json, write_json
from mim_tf.storage.paths import check_writable
from mim_tf.training.callbacks import Divergence, OnIteration, ProgressBar, Snapshots, StopInOrder
from mim_tf.training.compile import compile_for_training, draw_biases, make_optimizer
from mim_tf.training.devices import check_overlap, open_devices
from mim_tf.training.logs import Events, Logs, RestartedMean
from mim_tf.training.state import load_state
from mim_tf.weights import load_weights, save_weights


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


# MERGED: Evaluations of a training, between its iterations.


class Evaluation(OnIteration):
    """Scores on the validation set every `test_interval`, pictures, and the best weights so far.

    One that fails is a warning: what was learnt is worth more than its scores.
    """

    def __init__(self, config, start_iteration, folder, writer, source, devices, bar):
        super().__init__(config, start_iteration)
        self.folder = folder
        self.bar = bar
        self.pictures = pictures_folder(folder, config.gen_frm_dir)
        self.best, self.scored_on = _best_so_far(folder / "best.json")
        self.writer = writer
        self.source = source
        self.devices = devices

    def on_train_begin(self, logs=None):
        self.make_up()

    def on_iteration(self, iteration, logs):
        if self.due(iteration, self.config.test_interval):
            self._try(iteration)

    def make_up(self) -> None:
        """Evaluates what is resumed, if a kill came between its snapshot and its scores."""
        due = self.start and self.due(self.start, self.config.test_interval)
        if due and not (self._scores(self.start) / "scores.json").exists():
            self._try(self.start)

    def _scores(self, iteration):
        return self.folder / "scores" / f"{iteration:06d}"

    def _try(self, iteration):
        try:
            with self.devices.evaluated(self.model, self.config.evaluate_ema) as model:
                self._evaluate(model, iteration)
        except Exception as error:  # of files, data, memory or the network: training goes on
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            logging.warning(
                "The evaluation of iteration %d failed, and training goes on: %s", iteration, reason
            )

    def _evaluate(self, model, iteration):
        input_length = model.config.input_length

        def show(number, truth, forecast):
            folder = self.pictures / f"{iteration:06d}" / str(number)
            save_sample(folder, truth, forecast, input_length, self.source.scale)
            strip = film_strip(truth, forecast, input_length, self.source.scale)
            self.writer.add_image(f"sample/{number}", strip, iteration)

        result = evaluate(model, self.source, self.config, show, self.config.protocol)
        # Scores last: where they are missing, a resumed run evaluates again.
        self._keep_best(model, iteration, result)
        write_scores(self._scores(iteration), result, input_length)
        self.bar.show_validation(result)
        tqdm.write(f"Iteration {iteration}, {result['sequences']} validation sequences:")
        tqdm.write(format_scores(result, input_length))
        for name, value in result["mean"].items():
            if value is not None:
                self.writer.add_scalar(f"validation/{name}", value, iteration)
        for name, part in result["baselines"].items():
            if part["mean"]["mse"] is not None:
                self.writer.add_scalar(f"validation/mse_{name}", part["mean"]["mse"], iteration)
        self.writer.flush()

    def _keep_best(self, model, iteration, result):
        mse, sequences = result["mean"]["mse"], result["data"]["sha256"]
        if self.scored_on not in (None, sequences):
            logging.warning("Other sequences are scored than before: the best weights start anew.")
            self.best = math.inf
        self.scored_on = sequences
        if mse is None or not mse < self.best:
            return
        save_weights(model, self.folder / "best.weights.h5")
        best = {"iteration": iteration, "mse": mse, "sha256": sequences}
        write_json(self.folder / "best.json", best)
        self.best = mse


def _best_so_far(record):
    """The smallest MSE, infinite before the first, and the SHA-256 of its sequences, if known.

    Raises `MimError` if it cannot be read.
    """
    if not record.exists():
        return math.inf, None
    best = read_json(record)
    score = best.get("mse")
    if type(score) not in (int, float) or not math.isfinite(score):
        raise MimError(
            f"{record} is damaged: expected a finite number as its mse, received {score!r}. Take "
            "it from scores/, or move best.json and best.weights.h5 to another place."
        )
    return score, best.get("sha256")


# MERGED: The page of a run, while it trains.


class Report(OnIteration):
    """Writes `report.html` after each evaluation, and at the end with the last losses."""

    def __init__(self, config, start_iteration, folder):
        super().__init__(config, start_iteration)
        self.folder = folder

    def on_iteration(self, iteration, logs):
        if iteration % self.config.test_interval == 0 and iteration < self.config.max_iterations:
            write_report_or_warn(self.folder)

    def on_train_end(self, logs=None):
        if any(self.folder.glob("scores/*/scores.json")):
            write_report_or_warn(self.folder)
