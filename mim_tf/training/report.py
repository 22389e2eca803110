"""The page of a run, while it trains."""

from mim_tf.report.write import write_report_or_warn
from mim_tf.training.on_iteration import OnIteration


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
