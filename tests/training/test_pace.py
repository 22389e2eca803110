"""The number of iterations that fits into the minutes of a run."""

import dataclasses
import json
import types

import pytest

import mim_tf
from mim_tf.cli.configs import resumed
from mim_tf.cli.train import TRAIN
from mim_tf.errors import MimError
from mim_tf.jobs import train as pace
from mim_tf.jobs.train import train
from tests.training.test_train import DATA, settings


@pytest.fixture
def tiny_config(tiny_config):
    """A quarter of the operations to trace."""
    return dataclasses.replace(tiny_config, model_name="convlstm_net", layer_norm=False)


@pytest.fixture
def measured(monkeypatch, tiny_model):
    """Return `iterations_within` of ten minutes, 100 seconds of them gone, at a known pace."""

    now = [0.0]

    def fit(model, batches, steps_per_epoch, callbacks, **named):
        half = [9.0] + [1.0] * (pace.MEASURED - 1)
        is_one_length = steps_per_epoch == pace.MEASURED
        callbacks[0].on_train_begin({})
        for seconds in half if is_one_length else half + [2 * each for each in half]:
            now[0] += seconds
            callbacks[0].on_train_batch_end(0, {})
        now[0] = 0.0

    monkeypatch.setattr(mim_tf.VideoPredictor, "fit", fit)
    monkeypatch.setattr(pace, "time", types.SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(pace, "_seconds_of_evaluation", lambda *arguments: (5.0, 10.0))
    source = mim_tf.open_source(DATA, tiny_model.config, "train")

    def iterations(**changes):
        config = mim_tf.TrainingConfig(reverse_input=False, test_interval=20, **changes)
        return pace.iterations_within(10, 100, tiny_model, config, source, source)

    return iterations


def test_iterations_fill_the_minutes_that_are_left(measured):
    # A twentieth is kept free; then the first update, tracing and last evaluation.
    left = 570 - 100 - 9 - 5 - 10
    assert measured(short_share=0.0) == left // (1 + 10 / 20)
    assert measured(short_share=0.5) == (left - 18) // (1.5 + 10 / 20)  # another compilation


def test_one_iteration_is_the_least(measured, monkeypatch):
    monkeypatch.setattr(pace, "_seconds_of_evaluation", lambda *arguments: (0, 1e6))
    assert measured(short_share=0.0) == 1


@pytest.mark.slow
def test_a_measured_pace_is_positive(tiny_config):
    model = mim_tf.build_model(tiny_config)
    mim_tf.compile_for_training(model)
    config = mim_tf.TrainingConfig(batch_size=2, short_share=0.5, max_test_sequences=3)
    source = mim_tf.open_source(DATA, tiny_config, "train")
    assert pace.iterations_within(100, 0, model, config, source, source) > 1


@pytest.mark.slow
def test_a_run_records_what_was_chosen_and_keeps_it(tmp_path, tiny_config, monkeypatch, capsys):
    monkeypatch.setattr("mim_tf.jobs.train.iterations_within", lambda *arguments: 3)
    config = settings(tmp_path, max_minutes=5.0)
    folder = train(tiny_config, DATA, config)
    record = json.loads((folder / "run.json").read_text())["training"]
    assert (record["max_iterations"], record["max_minutes"]) == (3, 5)
    assert (folder / "scores" / "000003").exists()
    assert "3 iterations" in capsys.readouterr().out

    values = TRAIN.flag_values()
    values(["mim train", "--max_minutes=5", "--max_iterations=80"])
    stored = dataclasses.replace(config, max_iterations=3)
    assert resumed(stored, values) == stored
    free = TRAIN.flag_values()
    free(["mim train", "--max_minutes=0", "--max_iterations=80"])
    assert resumed(stored, free).max_iterations == 80
    other = TRAIN.flag_values()
    other(["mim train", "--max_minutes=6"])
    with pytest.raises(MimError, match="max_minutes"):
        resumed(stored, other)
