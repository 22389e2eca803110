"""The progress bar of a training: what is left, how fast it goes, and how good it is."""

import collections
import shutil
import statistics
import time

from tqdm import tqdm

from mim_tf.config import TrainingConfig
from mim_tf.evaluation.direction import is_better

RECENT = 51
"""Updates by whose median the pace is told, so that a pause does not count."""


class ProgressBar:
    """A line such as `800/2400 ███ 7 min left, 3.2 updates/s, loss 512, MSE 98.7 (baseline 179)`.

    Args:
        config: of the training.
        start_iteration: the iteration it goes on from.
    """

    def __init__(self, config: TrainingConfig, start_iteration: int):
        self.config = config
        self.iteration = start_iteration
        self.bar: tqdm | None = None
        self.durations: collections.deque[float] = collections.deque(maxlen=RECENT)
        self.evaluation_seconds = 0.0
        self.began_at = self.ended_at = 0.0
        self.evaluates = False
        self.loss: float | None = None
        self.validation = ""

    def open(self) -> None:
        self.bar = tqdm(
            total=self.config.max_iterations,
            initial=self.iteration,
            bar_format="{n_fmt}/{total_fmt} {bar} {desc}",
            ncols=min(80, shutil.get_terminal_size().columns),
        )

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()

    def update_begins(self) -> None:
        """Notes the time, and that of an evaluation since the last update."""
        self.began_at = time.perf_counter()
        if self.evaluates:
            self.evaluation_seconds = self.began_at - self.ended_at
            self.evaluates = False

    def update_ends(self) -> float:
        """Notes the time and returns the seconds of this update, its batch's loading included."""
        is_first = not self.ended_at
        self.ended_at = time.perf_counter()
        seconds = self.ended_at - self.began_at
        if not is_first:  # in which the network is traced
            self.durations.append(seconds)
        return seconds

    def show(self, iteration: int, loss: float | None = None) -> None:
        """Says how far it is; a loss stays until the next one is given."""
        self.iteration = iteration
        self.evaluates = iteration % self.config.test_interval == 0
        self.loss = self.loss if loss is None else loss
        if self.bar is not None:
            self.bar.set_description_str(self.words(), refresh=False)
            self.bar.update()

    def show_validation(self, result: dict) -> None:
        """Keeps the MSE of an evaluation and of its best baseline in the line.

        Args:
            result: what `evaluate` returned.
        """
        self.validation = f"MSE {_short(result['mean']['mse'])}"
        best = best_baseline(result)
        if best is not None:
            self.validation += f" (baseline {_short(best)})"
        if self.bar is not None:
            self.bar.set_description_str(self.words(), refresh=False)

    @property
    def updates_per_second(self) -> float | None:
        """By the median of the last updates; None before the second."""
        return 1 / max(statistics.median(self.durations), 1e-9) if self.durations else None

    @property
    def seconds_left(self) -> float | None:
        """With the evaluations to come, if there was one to judge by."""
        if not self.updates_per_second:
            return None
        interval, last = self.config.test_interval, self.config.max_iterations
        updates = (last - self.iteration) * self.config.updates_per_iteration
        evaluations = -(-last // interval) - self.iteration // interval
        return updates / self.updates_per_second + evaluations * self.evaluation_seconds

    def words(self) -> str:
        """All that stands behind the bar; with the iterations before it less than 80 columns."""
        parts = []
        if self.updates_per_second:
            parts.append(f"{_duration(self.seconds_left)} left")
            parts.append(f"{_rate(self.updates_per_second)} updates/s")
        if self.loss is not None:
            parts.append(f"loss {_short(self.loss)}")
        if self.validation:
            parts.append(self.validation)
        return ", ".join(parts)


def best_baseline(result: dict, score: str = "mse") -> float | None:
    """The best mean of a baseline; None where there is none.

    Args:
        result: what `evaluate` returned.
        score: its name.
    """
    means = [part["mean"][score] for part in result.get("baselines", {}).values()]
    best = None
    for mean in means:
        if best is None or is_better(score, mean, best):
            best = mean
    return best


def _duration(seconds):
    for unit, size in (("days", 86400), ("h", 3600)):
        if seconds >= size:
            return f"{_rate(seconds / size)} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _short(value):
    if value is None:
        return "-"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _rate(value):
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"
