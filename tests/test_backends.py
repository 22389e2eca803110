"""Training on JAX, without TensorFlow; predictions are part of the conformance sweep."""

import csv
import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import mim_tf
from mim_tf.jobs.train import train
from mim_tf.runs.folder import STATE
from tests.processes import printed
from tools.faults.lives import differences

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
MODEL = {
    "img_width": 8,
    "patch_size": 4,
    "num_hidden": 2,
    "filter_size": 3,
    "layer_norm": False,
    "input_length": 3,
    "total_length": 6,
}
CONFIG = mim_tf.ModelConfig(**MODEL | {"num_hidden": (2,)})
TRAINING = {
    "batch_size": 2,
    "max_iterations": 4,
    "test_interval": 2,
    "evaluate_ema": True,
    "num_save_samples": 0,
    "lr": 0.01,
    # True frames in two iterations, then none: another run where these are not counted on.
    "sampling_changing_rate": 0.0,
    "sampling_stop_iter": 3,
}
INTERRUPT = """
import os, signal
from mim_tf.training.callbacks import Logs

log = Logs.on_iteration

def interrupt(self, iteration, logs):
    log(self, iteration, logs)
    if iteration == 2:
        os.kill(os.getpid(), signal.SIGINT)

Logs.on_iteration = interrupt
"""


@pytest.fixture(scope="module")
def on_jax(jax_variables):
    """Runs a program on JAX, after lines of `code`, and returns what it prints."""

    def run(program, *arguments, code=""):
        lines = [
            "import runpy, sys",
            "sys.modules['tensorflow'] = None",
            code,
            f"runpy.run_path({program!r}, run_name='__main__')",
        ]
        return printed("-c", "\n".join(lines), *arguments, cwd=ROOT, env=jax_variables)

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Flags that name tiny data, and weights to start from: each backend would draw others."""
    folder = tmp_path_factory.mktemp("files")
    videos, weights = folder / "videos.npy", folder / "start.weights.h5"
    np.save(videos, np.random.default_rng(0).random((12, 6, 8, 8), np.float32))
    keras.utils.set_random_seed(0)
    mim_tf.save_weights(mim_tf.build_model(CONFIG), weights)
    return {"dataset": "array", "train_data_paths": str(videos), "pretrained_model": str(weights)}


@pytest.fixture(scope="module")
def run_py(on_jax, files):
    """Runs run.py on JAX in a folder, with flags by name."""

    def run(folder, code="", **flags):
        flags = MODEL | files | {"save_dir": folder, "gen_frm_dir": folder / "frames"} | flags
        return on_jax("run.py", *(f"--{name}={flags[name]}" for name in flags), code=code)

    return run


@pytest.fixture(scope="module")
def uninterrupted(run_py, tmp_path_factory):
    """The folder of a run of four iterations."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    run_py(folder, **TRAINING | {"num_save_samples": 1})
    return folder / "run-001"


@pytest.fixture(scope="module")
def in_python(on_jax, uninterrupted, files):
    """What `jax_process.py` finds."""
    weights = uninterrupted / "mim-000004.weights.h5"
    return json.loads(on_jax("tests/jax_process.py", weights, files["train_data_paths"]))


def losses(run):
    with (run / "train.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_run_py_trains_and_evaluates(uninterrupted):
    assert json.loads((uninterrupted / "run.json").read_text())["backend"] == "jax"
    assert len(losses(uninterrupted)) == 4
    scores = json.loads((uninterrupted / "scores" / "000002" / "scores.json").read_text())
    assert scores["sequences"] == 1
    assert list(uninterrupted.glob("events.out.tfevents.*"))
    pictures = uninterrupted.parent / "frames" / "run-001" / "000004" / "1"
    assert (pictures / "truth_and_prediction.gif").is_file()


def test_run_py_saves_raw_weights_and_their_average(uninterrupted):
    names = "mim-000004.weights.h5", "mim-000004-ema.weights.h5", STATE
    kernels = []
    for name in names:
        with h5py.File(uninterrupted / name) as file:
            kernels.append(file["layers/functional/layers/gate_convolution/vars/0"][:])
    raw, average, of_state = kernels
    np.testing.assert_array_equal(raw, of_state)
    assert np.isfinite(average).all()
    assert not np.array_equal(average, raw)


def test_losses_are_those_of_tensorflow(uninterrupted, files, tmp_path):
    assert keras.backend.backend() == "tensorflow"
    data = mim_tf.DataConfig(dataset="array", train_data_paths=files["train_data_paths"])
    folders = {"save_dir": str(tmp_path), "gen_frm_dir": str(tmp_path)}
    training = mim_tf.TrainingConfig(**folders, **TRAINING)
    expected = train(CONFIG, data, training, pretrained_model=files["pretrained_model"])
    np.testing.assert_allclose(losses(uninterrupted), losses(expected), rtol=1e-4)


def test_interrupted_and_resumed_ends_like_uninterrupted(uninterrupted, run_py, tmp_path):
    run_py(tmp_path, **TRAINING, code=INTERRUPT)
    run = tmp_path / "run-001"
    assert len(losses(run)) == 2
    run_py(tmp_path, resume=True)
    assert differences(run, uninterrupted) == []


def test_fit_trains_on_every_update_once_in_order(in_python):
    assert in_python["fed in order"] == [True] * 9


def test_fit_goes_on_from_the_weights_it_left(in_python):
    first, second = in_python["fitted twice"]["losses"]
    assert first[-1] < first[0]
    assert second[-1] < second[0]
    assert in_python["fitted twice"]["updates"] == 6


def test_threads_can_share_a_model(in_python):
    assert in_python["forecasts of threads"] == [True]


def test_a_skipped_update_leaves_weights_and_their_average(in_python):
    assert in_python["skipped"] == [[1.0, 2.0], [1.0, 2.0], 1]


def test_programs_need_tensorflow_only_for_what_is_its_own(in_python):
    assert in_python["evaluated"] == 1
    assert in_python["analyzed"] == 1
    assert in_python["error of export"].startswith("TensorFlow is needed to export a model")
