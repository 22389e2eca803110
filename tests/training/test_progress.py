"""What the progress bar says."""

import time

import pytest

from mim_tf.config import TrainingConfig
from mim_tf.training.callbacks import ProgressBar, best_baseline

RESULT = {
    "mean": {"mse": 98.654},
    "baselines": {
        "persistence": {"mean": {"mse": 281.5}},
        "context_mean": {"mean": {"mse": 178.7}},
    },
}


@pytest.fixture
def clock(monkeypatch):
    """A time that passes only when told to."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def make_bar(**changes):
    settings = {"max_iterations": 100, "test_interval": 10, "reverse_input": False}
    bar = ProgressBar(TrainingConfig(**settings | changes), start_iteration=0)
    bar.open()
    return bar


def train(bar, clock, iterations, seconds, loss=None):
    for iteration in range(bar.iteration + 1, bar.iteration + 1 + iterations):
        bar.update_begins()
        clock[0] += seconds
        assert bar.update_ends() == pytest.approx(seconds)
        bar.show(iteration, loss)


def test_before_there_is_a_loss(clock):
    bar = make_bar()
    train(bar, clock, iterations=1, seconds=0.5)
    assert bar.words() == ""  # the first update tells nothing of the others
    train(bar, clock, iterations=1, seconds=0.5)
    assert bar.words() == "49 s left, 2 updates/s"


def test_loss_score_and_baseline(clock):
    bar = make_bar()
    train(bar, clock, iterations=2, seconds=0.5, loss=512.345)
    bar.show_validation(RESULT)
    expected = "49 s left, 2 updates/s, loss 512, MSE 98.7 (baseline 179)"
    assert bar.words() == expected


def test_the_first_update_which_traces_is_not_the_pace(clock):
    bar = make_bar()
    train(bar, clock, iterations=1, seconds=60)
    train(bar, clock, iterations=9, seconds=0.1)
    assert bar.updates_per_second == pytest.approx(10)
    assert bar.seconds_left == pytest.approx(9)


def test_an_evaluation_that_is_made_up_has_no_bar():
    bar = ProgressBar(TrainingConfig(), start_iteration=10)
    bar.show_validation(RESULT)
    assert bar.words() == "MSE 98.7 (baseline 179)"
    bar.close()


def test_evaluations_to_come_take_as_long_as_the_last(clock):
    bar = make_bar(max_iterations=35)
    train(bar, clock, iterations=10, seconds=1)
    clock[0] += 20
    train(bar, clock, iterations=1, seconds=1)
    assert bar.seconds_left == pytest.approx(24 + 3 * 20)  # at 20, 30 and 35


def test_it_fits_80_columns_in_a_long_run(clock, capsys):
    bar = make_bar(max_iterations=80_000)
    bar.iteration = 10_000
    train(bar, clock, iterations=2, seconds=29.9, loss=1234.5)
    bar.show_validation(RESULT)
    words = bar.words()
    assert words == "24 days left, 0.033 updates/s, loss 1234, MSE 98.7 (baseline 179)"
    assert len(f"10002/80000 # {words}") <= 80


def test_the_baseline_is_the_best_of_them():
    assert best_baseline(RESULT) == 178.7
    assert best_baseline({"baselines": {}}) is None
