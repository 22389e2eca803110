"""Training runs: what they leave behind, and what an interrupted run keeps.

That a killed run ends like an uninterrupted one is seen by tools/faults/kill_resume.py, which
tests/test_faults.py calls.
"""

import csv
import dataclasses
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from absl import logging
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import mim_tf
from mim_tf.cli.main import main
from mim_tf.data.batches.order import TrainingOrder
from mim_tf.data.files.arrays import ArraySource
from mim_tf.data.sets.moving_mnist.source import MovingMNIST
from mim_tf.jobs.train import check_overlap, train
from mim_tf.runs.folder import STATE
from mim_tf.runs.record import read_record, write_record
from tools.faults.lives import rows

ITERATIONS = 4
DATA = mim_tf.DataConfig(digits="bundled", train_sequences=7, valid_sequences=3, test_sequences=3)


@pytest.fixture(scope="module")
def tiny_config(tiny_config):
    """A quarter of the operations to trace."""
    return dataclasses.replace(tiny_config, model_name="convlstm_net", layer_norm=False)


def settings(folder, **changes):
    defaults = {
        "batch_size": 2,
        "lr": 0.01,
        "max_iterations": ITERATIONS,
        "test_interval": 2,
        "snapshot_interval": 1,
        "num_save_samples": 0,
        "scheduled_sampling": True,
        "save_dir": str(folder / "runs"),
        "gen_frm_dir": str(folder / "frames"),
    }
    return mim_tf.TrainingConfig(**defaults | changes)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, tiny_config):
    folder = tmp_path_factory.mktemp("uninterrupted")
    return train(tiny_config, DATA, settings(folder, num_save_samples=2))


def scores_of(run, iteration):
    return json.loads((run / "scores" / f"{iteration:06d}" / "scores.json").read_text())


@pytest.mark.slow
def test_a_run_leaves_record_log_and_page(uninterrupted):
    record = json.loads((uninterrupted / "run.json").read_text())
    assert record["model"]["num_hidden"] == [4, 4]
    assert record["training"]["seed"] == 0
    assert "bundled" in record["sources"]["train"]["digits_origin"]
    assert record["sources"]["valid"]["is_test"] is False
    assert record["versions"]["mim_tf"] == mim_tf.__version__
    with (uninterrupted / "train.csv").open(newline="") as file:
        logged = list(csv.DictReader(file))
    assert [row["iteration"] for row in logged] == ["1", "2", "3", "4"]
    assert float(logged[-1]["loss"]) < float(logged[0]["loss"])
    assert float(logged[0]["true_frame_probability"]) == pytest.approx(1 - 2e-5)
    for column in ("processor_seconds", "seconds"):
        seconds = [float(row[column]) for row in logged]
        assert 0 < seconds[0] < seconds[-1]
    assert "training loss by iteration" in (uninterrupted / "report.html").read_text()


@pytest.mark.slow
def test_tensorboard_has_the_figures_of_the_progress_bar(uninterrupted):
    events = EventAccumulator(str(uninterrupted)).Reload()
    found = {tag: [each.value for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    scores = scores_of(uninterrupted, 4)
    every = ["loss", "learning_rate", "true_frame_probability"]
    for tag in (*every, "gradient_norm", "updates_per_second"):
        assert len(found.pop(tag)) == ITERATIONS
    persistence = scores["baselines"]["persistence"]["mean"]["mse"]
    assert found["validation/mse_persistence"] == pytest.approx([persistence] * 2)
    assert found["validation/mse"][-1] == pytest.approx(scores["mean"]["mse"])
    assert all(tag.startswith("validation/") for tag in found)


@pytest.mark.slow
def test_a_run_scores_and_pictures_at_every_test(uninterrupted):
    scores = scores_of(uninterrupted, 4)
    assert scores["sequences"] == 3
    assert len(scores["per_frame"]["mse"]) == 3
    evaluations = sorted((uninterrupted / "scores").iterdir())
    assert [folder.name for folder in evaluations] == ["000002", "000004"]
    names = "scores.json scores.csv per_sequence.csv resamples.npz samples.npz"
    assert {path.name for path in evaluations[0].iterdir()} == set(names.split())
    pictures = uninterrupted.parents[1] / "frames" / "run-001" / "000004"
    assert sorted(path.name for path in pictures.iterdir()) == ["1", "2"]
    assert len(list((pictures / "1").glob("gt*.png"))) == 6
    predicted = sorted(path.name for path in (pictures / "1").glob("pd*"))
    assert predicted == ["pd4.png", "pd5.png", "pd6.png"]


@pytest.mark.slow
def test_a_run_saves_every_snapshot_and_the_best(uninterrupted):
    names = sorted(path.name for path in uninterrupted.glob("*.weights.h5"))
    snapshots = [f"convlstm_net-00000{i}.weights.h5" for i in (1, 2, 3, 4)]
    assert names == ["best.weights.h5", *snapshots]
    best = json.loads((uninterrupted / "best.json").read_text())
    assert scores_of(uninterrupted, best["iteration"])["mean"]["mse"] == best["mse"]
    # The weights are the raw ones, not their average.
    model = mim_tf.load_model(uninterrupted / snapshots[-1])
    with h5py.File(uninterrupted / STATE) as state:
        raw = state["layers/functional/layers/gate_convolution/vars/0"][:]
    kernel = next(w for w in model.weights if w.path == "to_pixels/kernel")
    np.testing.assert_array_equal(kernel, raw)


@pytest.mark.slow
def test_a_run_without_a_snapshot_resumes_with_its_own_settings(
    uninterrupted, tmp_path, tiny_config
):
    runs = tmp_path / "runs"
    folder = runs / "run-001"
    folder.mkdir(parents=True)
    write_record(folder, tiny_config, DATA, settings(tmp_path, max_iterations=1), {})
    verbosity = logging.get_verbosity()
    main(["train", f"--save_dir={runs}", "--resume"])
    logging.set_verbosity(verbosity)
    assert [path.name for path in runs.iterdir()] == ["run-001"]
    assert rows(folder) == rows(uninterrupted)[:1]


@pytest.mark.slow
def test_what_a_resumed_run_changes_is_recorded(
    uninterrupted, tmp_path, tiny_config, monkeypatch, caplog
):
    run = shutil.copytree(uninterrupted, tmp_path / "run-001")
    before, state = json.loads((run / "run.json").read_text()), (run / STATE).read_bytes()
    monkeypatch.setattr(keras.Model, "fit", lambda *arguments, **named: None)
    for last in (ITERATIONS, 8, 6):  # the first has nothing to do
        config = settings(tmp_path, max_iterations=last)
        assert train(tiny_config, DATA, config, resume=run) == run
    assert (run / STATE).read_bytes() == state
    record = json.loads((run / "run.json").read_text())
    assert [each["command"] for each in record.pop("resumed")] == [sys.argv] * 2
    assert read_record(run)[2].max_iterations == 6
    assert {**record, "training": {}} == {**before, "training": {}}
    assert "train sequences" not in caplog.text
    train(tiny_config, dataclasses.replace(DATA, train_sequences=6), config, resume=run)
    assert "7 train sequences" in caplog.text
    shares = dataclasses.replace(config, max_iterations=9, short_share=0.5)
    train(tiny_config, DATA, shares, resume=run)
    assert "shares of --max_iterations, which is 9 now" in caplog.text
    # The weights that a run began with were overwritten by its state, whatever they were.
    with pytest.raises(mim_tf.MimError, match=r"--pretrained_model.*moving-mnist"):
        train(tiny_config, DATA, config, pretrained_model="moving-mnist", resume=run)


@pytest.mark.slow
def test_ctrl_c_saves_raw_weights_and_their_average_and_stops(tmp_path, tiny_config, monkeypatch):
    def interrupt(self, iteration, logs):
        if iteration == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("mim_tf.jobs.validation.Validation.on_iteration", interrupt)
    config = settings(tmp_path, snapshot_interval=100, evaluate_ema=True)
    folder = train(tiny_config, DATA, config)
    names = ["convlstm_net-000002-ema.weights.h5", "convlstm_net-000002.weights.h5"]
    assert sorted(path.name for path in folder.glob("*.weights.h5")) == names
    assert (folder / STATE).exists()
    models = [mim_tf.load_model(folder / name) for name in names]
    # The average is of every update, and each iteration makes two, so it lies before the last.
    for mean, raw in zip(*(model.trainable_variables for model in models), strict=True):
        assert np.all(np.isfinite(mean))
        assert not np.array_equal(mean, raw)


@pytest.mark.slow
def test_a_failed_evaluation_loses_nothing_and_is_made_up(
    tmp_path, tiny_config, monkeypatch, caplog
):
    def fail(*arguments):
        raise OSError("disk full\nsecond line")

    config = settings(tmp_path, max_iterations=2, snapshot_interval=2, num_save_samples=1)
    with monkeypatch.context() as patched:
        patched.setattr("mim_tf.jobs.validation.save_sample", fail)
        with pytest.raises(mim_tf.MimError, match="All 1 evaluations"):
            train(tiny_config, DATA, config)
    folder = Path(config.save_dir) / "run-001"
    assert "evaluation of iteration 2 failed, and training goes on: disk full" in caplog.text
    assert "second line" not in caplog.text
    assert (folder / "convlstm_net-000002.weights.h5").exists()
    assert not (folder / "best.weights.h5").exists()

    state = (folder / STATE).read_bytes()
    train(tiny_config, DATA, config, resume=folder)
    assert (folder / "scores" / "000002" / "scores.json").exists()
    assert (folder / "best.weights.h5").exists()
    assert (folder / STATE).read_bytes() == state


@pytest.mark.slow
@pytest.mark.parametrize(
    ("on_nan", "bad", "message"),
    [
        ("stop", (3,), ""),
        ("skip", (2, 3), "this update was left out"),
        ("rollback", (3,), "back to the weights of iteration 2"),
    ],
)
def test_a_nan_loss(on_nan, bad, message, tmp_path, tiny_config, monkeypatch, caplog):
    order = TrainingOrder(7, 2, 0)
    wrong, read = [order[iteration - 1][0] for iteration in bad], MovingMNIST.sequences

    def sequences(self, indices):
        frames = read(self, indices)
        if self.size == 7:  # the training split
            frames[np.isin(indices, wrong)] = np.inf
        return frames

    monkeypatch.setattr(MovingMNIST, "sequences", sequences)
    handler = signal.getsignal(signal.SIGINT)
    config = settings(
        tmp_path,
        on_nan=on_nan,
        reverse_input=False,
        test_interval=100,
        snapshot_interval=1 if on_nan == "stop" else 2,
    )
    folder = tmp_path / "runs" / "run-001"
    if on_nan == "stop":
        with pytest.raises(mim_tf.MimError, match=r"iteration 3 .*net-000002\.weights\.h5.*--lr"):
            train(tiny_config, DATA, config)
        names = sorted(path.name for path in folder.glob("convlstm_net-*"))
        assert names == ["convlstm_net-000001.weights.h5", "convlstm_net-000002.weights.h5"]
        assert (folder / STATE).exists()
        assert signal.getsignal(signal.SIGINT) == handler
        return
    train(tiny_config, DATA, config)
    for iteration in bad:
        assert f"at iteration {iteration} " in caplog.text
    assert caplog.text.count("The loss is") == caplog.text.count(message) == len(bad)
    iterations = [row.split(",")[0] for row in rows(folder)]
    assert iterations == [str(n) for n in (1, 2, 3, 4) if n not in bad]
    assert (folder / "convlstm_net-000004.weights.h5").exists()


@pytest.mark.parametrize("samples", [0, 1])
def test_a_folder_for_pictures_is_checked_before_training(samples, tmp_path, tiny_config):
    (tmp_path / "frames").write_text("a file")
    with pytest.raises(mim_tf.MimError, match="frames"):
        train(tiny_config, DATA, settings(tmp_path, num_save_samples=samples))
    assert not (tmp_path / "runs").exists()


def test_a_policy_that_wraps_the_optimizer_is_refused(tmp_path, tiny_config):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        with pytest.raises(mim_tf.MimError, match="mixed_float16"):
            train(tiny_config, DATA, settings(tmp_path))
    finally:
        keras.config.set_dtype_policy("float32")
    assert not (tmp_path / "runs").exists()


def moving_by(*values):
    frames = np.zeros((len(values), 2, 2, 2, 1), np.float32)
    frames[:, 1] = np.array(values).reshape(-1, 1, 1, 1)
    return ArraySource(frames)


@pytest.mark.parametrize(("valid", "refused"), [("b.npy", True), ("", False), ("a.npy", False)])
def test_duplicates_of_two_paths_are_refused_and_of_one_path_logged(valid, refused, caplog):
    data = mim_tf.DataConfig("array", train_data_paths="a.npy", valid_data_paths=valid)
    check_overlap(moving_by(0.5, 0.25, 0), moving_by(0.75, 0), data)  # still sequences may repeat
    assert not caplog.text
    both = moving_by(0.5, 0.25), moving_by(0.75, 0.5)
    if refused:
        with pytest.raises(mim_tf.MimError, match="--valid_data_paths"):
            check_overlap(*both, data)
    else:
        check_overlap(*both, data)
        assert "Validation sequence 1 equals training sequence 0" in caplog.text
