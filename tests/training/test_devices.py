"""Training on several devices and in several processes is training on one."""

import contextlib
import csv
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mim_tf.config import DeviceConfig
from mim_tf.errors import MimError
from mim_tf.models import build_model
from mim_tf.runs.folder import STATE
from mim_tf.training.devices import MirroredDevices, OneDevice, ParallelDevices, open_devices
from mim_tf.training.optimizers import compile_for_training
from tests.models.small_models import small_config
from tests.processes import printed
from tests.training.devices_process import DATA, MODEL, TRAINING

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("devices_process.py")


def test_an_average_has_the_statistics_of_batch_norm():
    model = build_model(small_config(model_name="normed"))
    compile_for_training(model)
    norm = model.step.get_layer("norm")
    for weight in norm.weights:
        weight.assign(weight + 0.5)
    with OneDevice().evaluated(model, averaged=True) as average:
        copy = average.step.get_layer("norm")
        np.testing.assert_array_equal(copy.moving_mean, norm.moving_mean)
        np.testing.assert_array_equal(copy.moving_variance, norm.moving_variance)
        np.testing.assert_array_equal(copy.gamma, model.optimizer.averages[0])


@pytest.fixture(scope="session")
def jax_environment(jax_variables):
    """That of a process on JAX with so many devices."""
    flags = jax_variables["XLA_FLAGS"] + " --xla_force_host_platform_device_count="
    return lambda devices: jax_variables | {"XLA_FLAGS": f"{flags}{devices}"}


def on_one_and_two_devices(folder, variables):
    text = printed(PROGRAM, folder, cwd=ROOT, env=variables | {"PYTHONPATH": str(ROOT)})
    return json.loads(text.splitlines()[-1])


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory, jax_environment):
    return on_one_and_two_devices(tmp_path_factory.mktemp("jax"), jax_environment(2))


@pytest.mark.slow
def test_two_devices_of_tensorflow(tmp_path):
    one, two = on_one_and_two_devices(tmp_path, os.environ)
    np.testing.assert_allclose(two, one, rtol=1e-4)


@pytest.mark.slow
def test_two_devices_of_jax(on_jax):
    one, two = on_jax
    np.testing.assert_allclose(two, one, rtol=1e-4)


def free_port(ports=(0,)):
    """A port of `ports` nobody listens to; 0 stands for any."""
    for port in ports:
        with contextlib.suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return free.getsockname()[1]
    raise AssertionError("no free port")


def started_by_flags():
    """For each of two processes, the flags that let them find each other, and no variables."""
    flags = {"coordinator": f"127.0.0.1:{free_port()}", "num_processes": 2}
    return [(flags | {"process_id": number}, {}) for number in range(2)]


def started_by_slurm():
    """The same with what Slurm's srun tells."""
    job = free_port(range(61440, 65536)) - 61440  # JAX makes the port of the job's number
    variables = {
        "SLURM_JOB_ID": str(job),
        "SLURM_STEP_NODELIST": "127.0.0.1",
        "SLURM_NTASKS": "2",
        "SLURM_STEP_NUM_NODES": "2",
        "SLURM_LOCALID": "0",
    }
    return [({"coordinator": "auto"}, variables | {"SLURM_PROCID": str(n)}) for n in range(2)]


@contextlib.contextmanager
def two_processes(folder, environment, found, **flags):
    """Runs run.py in two processes of one device."""
    settings = MODEL | {"num_hidden": 2} | DATA | TRAINING
    flags = settings | {"save_dir": folder, "gen_frm_dir": folder} | flags
    started = []
    for number, (own, variables) in enumerate(found):
        arguments = [f"--{name}={value}" for name, value in (flags | own).items()]
        with (folder / f"{number}.log").open("w") as log:
            started.append(
                subprocess.Popen(
                    [sys.executable, "run.py", *arguments],
                    cwd=ROOT,
                    env=environment | variables,
                    stdout=log,
                    stderr=log,
                )
            )
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def rows(run):
    with (run / "train.csv").open(newline="") as file:
        return [(int(row["iteration"]), float(row["loss"])) for row in csv.DictReader(file)]


def wait_for(happened, log, seconds=600):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.2)


@pytest.mark.slow
def test_two_processes_and_the_end_of_one(tmp_path, on_jax, jax_environment):
    alone = jax_environment(1)
    run, log = tmp_path / "run-001", tmp_path / "0.log"
    endless = {"max_iterations": 10**6, "test_interval": 5, "snapshot_interval": 10}
    with two_processes(tmp_path, alone, started_by_flags(), **endless) as (first, second):
        wait_for(lambda: (run / STATE).exists() or first.poll(), log)
        second.kill()
        wait_for(lambda: first.poll() is not None, log)
    assert first.returncode == 1
    assert "Another process of this run has ended" in log.read_text()
    *losses, mse = on_jax[0]
    np.testing.assert_allclose([loss for _, loss in rows(run)[:5]], losses, rtol=1e-4)
    scores = json.loads((run / "scores" / "000005" / "scores.json").read_text())
    assert scores["mean"]["mse"] == pytest.approx(mse, rel=1e-4)

    last = rows(run)[-1][0]
    goal = {"resume": True, "max_iterations": last + 2}
    with two_processes(tmp_path, alone, started_by_slurm(), **goal) as started:
        assert [process.wait(600) for process in started] == [0, 0], log.read_text()
    assert [iteration for iteration, _ in rows(run)] == list(range(1, last + 3))
    assert (run / f"convlstm_net-{last + 2:06d}-ema.weights.h5").exists()
    assert not (tmp_path / "run-002").exists()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("UNKNOWN: Gloo AllGather failed: Connection closed by peer"), MimError),
        (ValueError("anything else"), ValueError),
    ],
)
def test_a_process_may_be_lost_while_numbers_are_gathered(error, expected, monkeypatch):
    monkeypatch.setattr("atexit.register", lambda function: None)
    devices = ParallelDevices.__new__(ParallelDevices)
    devices.num_processes, devices._distribution = 2, None
    with pytest.raises(expected, match=r"--resume|anything else"), devices.training():
        raise error


def test_devices_that_do_not_fit_are_refused(monkeypatch):
    config = DeviceConfig(coordinator="127.0.0.1:1", num_processes=2)
    with pytest.raises(MimError, match="--coordinator"):
        open_devices(config, batch_size=8)
    monkeypatch.setattr(MirroredDevices, "count", 3)
    monkeypatch.setattr(MirroredDevices, "__init__", lambda self: None)
    with pytest.raises(MimError, match="--batch_size"):
        open_devices(DeviceConfig(strategy="mirrored"), batch_size=8)
