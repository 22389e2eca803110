"""The callbacks of a training, each alone: iterations, progress, stop, snapshots, best weights."""

import contextlib
import itertools
import os
import signal
import threading
import types

import pytest

import mim_tf
from mim_tf.config import TrainingConfig
from mim_tf.errors import MimError
from mim_tf.jobs import validation
from mim_tf.jobs.validation import Validation
from mim_tf.storage.files import read_json
from mim_tf.training.callbacks import Divergence, OnIteration, Pace, ProgressBar, StopInOrder
from mim_tf.training.devices import OneDevice


def test_an_iteration_is_all_its_updates():
    seen = []
    callback = OnIteration(TrainingConfig(reverse_img=True), start_iteration=7)
    callback.on_iteration = lambda iteration, logs: seen.append(iteration)
    for batch in range(9):
        callback.on_train_batch_end(batch)
    assert seen == [8, 9]


def test_the_last_iteration_is_always_due():
    callback = OnIteration(TrainingConfig(max_iterations=25), start_iteration=0)
    assert [i for i in range(1, 26) if callback.due(i, 10)] == [10, 20, 25]


def test_the_progress_bar_keeps_its_figures_in_80_columns():
    bar = ProgressBar(TrainingConfig(max_iterations=80_000), start_iteration=10_000)
    with contextlib.closing(bar):
        bar.show("loss", "1234")
        bar.show("MSE", "98.7 (baseline 179)")
        bar.update(2)
        bar.show("loss", "1230")
        line = str(bar)
    assert line.startswith("10002/80000 ")
    assert line.endswith("loss 1230, MSE 98.7 (baseline 179)")
    assert len(line) <= 80


@pytest.mark.parametrize(("seconds", "is_said"), [(2.0, True), (0.5, False)])
def test_a_run_of_more_than_a_day_says_how_long_it_takes(monkeypatch, caplog, seconds, is_said):
    """80,000 iterations of two updates are 89 hours at 2 s an update, and 22 hours at 0.5 s."""
    clock = itertools.count(step=seconds)
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    callback = Pace(TrainingConfig(max_iterations=80_000), start_iteration=0)
    for batch in range(9):
        callback.on_train_batch_end(batch)
    assert [("3.7 days" in r.message, "quick.cfg" in r.message) for r in caplog.records] == [
        (True, True)
    ] * is_said


@pytest.fixture
def stop():
    return StopInOrder(TrainingConfig(max_iterations=9), 0, OneDevice())


@pytest.mark.parametrize("received", [False, True])
def test_signal_handlers_are_restored_after_a_failed_training(stop, received):
    def fail():
        with stop.listening():
            assert signal.getsignal(signal.SIGINT) != before
            if received:
                os.kill(os.getpid(), signal.SIGINT)
                assert stop.received == "SIGINT"
            raise ValueError("of a training")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="of a training"):
        fail()
    assert signal.getsignal(signal.SIGINT) == before


def test_a_thread_leaves_signals_alone(stop):
    entered = []

    def work():
        with stop.listening():
            entered.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [before]


class Model:
    config = mim_tf.ModelConfig()


@pytest.fixture
def evaluated(tmp_path, monkeypatch):
    """`evaluated(iteration, mse, sha256)` by a new callback, as after `--resume`: the best."""
    ignored = types.SimpleNamespace(add_scalar=lambda *_: None, flush=lambda: None)
    for name in ("write_scores", "format_scores", "save_weights", "write_report_or_warn"):
        monkeypatch.setattr(validation, name, lambda *_: "")
    config = TrainingConfig(gen_frm_dir=str(tmp_path / "frames"))
    run = tmp_path / "run"

    def evaluate(iteration, mse, sha256):
        result = {
            "mean": {"mse": mse},
            "data": {"sha256": sha256},
            "sequences": 1,
            "baselines": {"persistence": {"mean": {"mse": mse}}},
        }
        monkeypatch.setattr(validation, "evaluate", lambda *_: result)
        run.mkdir(exist_ok=True)
        source = types.SimpleNamespace(scale=None)
        callback = Validation(config, iteration, run, ignored, source, OneDevice())
        callback.set_model(Model())
        callback.on_iteration(config.test_interval, {})
        record = run / "best.json"
        return read_json(record).get("mse") if record.exists() else None

    return evaluate


def test_the_best_weights_have_the_smallest_error(evaluated):
    assert [evaluated(n, mse, "a") for n, mse in enumerate((3, 2, 2.5, 1), 1)] == [3, 2, 2, 1]


def test_errors_of_other_sequences_are_not_compared(evaluated, caplog):
    assert [evaluated(1, 2, "a"), evaluated(2, 3, "b"), evaluated(3, 4, "b")] == [2, 3, 3]
    assert caplog.text.count("the best weights start anew") == 1


@pytest.mark.parametrize("mse", ["2", '"low"', "NaN"])
def test_the_best_of_earlier_versions_is_kept_and_a_corrupted_one_refused(evaluated, tmp_path, mse):
    evaluated(1, 2, "a")
    (tmp_path / "run" / "best.json").write_text(f'{{"iteration": 1, "mse": {mse}}}')
    if mse == "2":
        assert evaluated(2, 3, "a") == 2
    else:
        with pytest.raises(MimError, match=r"best\.json"):
            evaluated(2, 3, "a")


def test_an_evaluation_without_known_values_has_no_error(evaluated, caplog):
    assert evaluated(1, None, "a") is None
    assert "failed" not in caplog.text


def test_a_skipped_update_is_told_if_only_its_gradient_was_infinite(caplog):
    config = TrainingConfig(on_nan="skip", max_iterations=4)
    callback = Divergence(config, 0, None, 8)
    optimizer = types.SimpleNamespace(gradient_norm=1.0)
    callback.set_model(types.SimpleNamespace(optimizer=optimizer, reset_metrics=lambda: None))
    callback.on_train_batch_end(0, {"loss_per_sequence": 2.0})
    assert not caplog.text
    optimizer.gradient_norm = float("nan")
    callback.on_train_batch_end(1, {"loss_per_sequence": 2.0})
    assert "The gradient is nan at iteration 1" in caplog.text
