"""Evaluations during a training: scores, pictures, the best weights so far, and the run's page."""

import math

from absl import logging
from tqdm import tqdm

from mim_tf.errors import MimError
from mim_tf.evaluation.pictures import film_strip, save_sample, upright
from mim_tf.evaluation.stored import format_scores, write_scores
from mim_tf.jobs.evaluate import evaluate
from mim_tf.report.pages import write_report_or_warn
from mim_tf.runs.folder import pictures_folder
from mim_tf.storage.files import read_json, write_json
from mim_tf.training.callbacks import OnIteration
from mim_tf.weights import save_weights


class Validation(OnIteration):
    """Evaluates on the validation set every `test_interval`, and keeps the best weights so far.

    Writes `report.html` after each evaluation, and at the end with the last losses.

    Training goes on without the scores of an evaluation that fails, because the weights are worth
    more. Lack of space or memory and unreadable data are logged as a warning, any other error with
    its traceback. If no evaluation succeeds, the run ends with `MimError`.
    """

    def __init__(self, config, start_iteration, folder, writer, source, devices, bar=None):
        super().__init__(config, start_iteration)
        self.folder, self.record = folder, folder / "best.json"
        self.writer, self.source, self.devices, self.bar = writer, source, devices, bar
        self.pictures = pictures_folder(folder, config.gen_frm_dir)
        self.failed = self.succeeded = 0
        self.best = read_json(self.record) if self.record.exists() else {}
        if self.best and not isinstance(self.best.get("mse"), int | float):
            raise MimError(
                f"Expected a finite mse in {self.record}, got {self.best.get('mse')}. Copy it from "
                "scores/, or move best.json and best.weights.h5 away."
            )

    def on_iteration(self, iteration, logs):
        if self.due(iteration, self.config.test_interval):
            self._try(iteration)
            if iteration < self.config.max_iterations:
                write_report_or_warn(self.folder)

    def on_train_begin(self, logs=None):
        """Evaluate the first iteration, if the run was killed between its snapshot and scores."""
        due = self.start and self.due(self.start, self.config.test_interval)
        if due and not (self._scores(self.start) / "scores.json").exists():
            self._try(self.start)

    def on_train_end(self, logs=None):
        if any(self.folder.glob("scores/*/scores.json")):
            write_report_or_warn(self.folder)

    def check(self) -> None:
        """Raise `MimError` if evaluations were made and all of them failed."""
        if self.failed and not self.succeeded:
            raise MimError(
                f"All {self.failed} evaluations of {self.folder} failed, for the logged reasons. "
                "The weights are saved: evaluate them with mim evaluate."
            )

    def _scores(self, iteration):
        return self.folder / "scores" / f"{iteration:06d}"

    def _try(self, iteration):
        try:
            with self.devices.evaluated(self.model, self.config.evaluate_ema) as model:
                self._evaluate(model, iteration)
            self.succeeded += 1
        except Exception as error:  # any error of files, data, memory or the network
            self.failed += 1
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            message = "The evaluation of iteration %d failed, and training goes on: %s"
            is_ours = not isinstance(error, (MimError, OSError, MemoryError))
            logging.warning(message, iteration, reason, exc_info=is_ours)
        if self.bar is not None:
            self.bar.unpause()  # evaluations do not count in the rate

    def _evaluate(self, model, iteration):
        input_length = model.config.input_length

        def show(number, truth, forecast):
            folder = self.pictures / f"{iteration:06d}" / str(number)
            source = self.source
            save_sample(folder, truth, forecast, input_length, source.scale, source.south_first)
            shown = (upright(frames, source.south_first) for frames in (truth, forecast))
            strip = film_strip(*shown, input_length, source.scale)
            self.writer.add_image(f"sample/{number}", strip, iteration)

        result = evaluate(model, self.source, self.config, show)
        # Scores are written last: if they are missing, a resumed run evaluates again.
        self._keep_best(model, iteration, result)
        write_scores(self._scores(iteration), result, input_length)
        tqdm.write(f"Iteration {iteration}, {result['sequences']} validation sequences:")
        tqdm.write(format_scores(result, input_length))
        self._log(iteration, result)

    def _log(self, iteration, result):
        baselines = {f"mse_{k}": part["mean"]["mse"] for k, part in result["baselines"].items()}
        for name, value in (result["mean"] | baselines).items():
            if value is not None:
                self.writer.add_scalar(f"validation/{name}", value, iteration)
        self.writer.flush()
        mse = result["mean"]["mse"]
        if self.bar is not None and mse is not None:
            best = min(filter(None, baselines.values()), default=None)
            self.bar.show("MSE", f"{mse:.3g}" + (f" (baseline {best:.3g})" if best else ""))

    def _keep_best(self, model, iteration, result):
        mse, sequences = result["mean"]["mse"], result["data"]["sha256"]
        if self.best.get("sha256") not in (None, sequences):
            logging.warning("The validation sequences have changed: the best weights start anew.")
            self.best = {}
        if mse is not None and mse < self.best.get("mse", math.inf):
            save_weights(model, self.folder / "best.weights.h5")
            self.best = {"iteration": iteration, "mse": mse, "sha256": sequences}
            write_json(self.record, self.best)
