"""Evaluations of a training, between its iterations."""

import math

from absl import logging
from tqdm import tqdm

from mim_tf.errors import MimError
from mim_tf.evaluation.evaluate import evaluate
from mim_tf.evaluation.pictures import film_strip, save_sample
from mim_tf.evaluation.report import format_scores, write_scores
from mim_tf.json_file import read_json, write_json
from mim_tf.runs.folder import pictures_folder
from mim_tf.training.on_iteration import OnIteration
from mim_tf.weights import save_weights


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
