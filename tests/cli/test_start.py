"""What a command writes while Keras starts, in processes of their own."""

import signal
import subprocess
import sys

import pytest

PROGRAM = [sys.executable, "-c"]


def test_none_of_the_notes_of_tensorflow_come_before_ours(tmp_path):
    program = [sys.executable, "-m", "mim_tf", "inspect", str(tmp_path / "nothing")]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.stderr == (
        f"error: {tmp_path / 'nothing'}: expected a file or folder, found no such file. "
        "Check the path.\n"
    )


WITHOUT = """
import runpy, sys
sys.modules[sys.argv[1]] = None
sys.argv = ["mim", "inspect", "nothing"]
print("mine", file=sys.stderr)
runpy.run_module("mim_tf", run_name="__main__")
"""


@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_a_backend_that_is_missing_is_one_sentence(backend, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    done = subprocess.run([*PROGRAM, WITHOUT, backend], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("mine\nerror: ")
    assert "KERAS_BACKEND=jax" in done.stderr
    assert len(done.stderr.splitlines()) == 2


INTERRUPTED = """
import os, signal, sys
from mim_tf.cli.command import import_keras

class Interrupt:  # at the first import of TensorFlow
    def find_spec(self, name, *_):
        if name == "tensorflow":
            print("importing", flush=True)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
import_keras()
print("not reached")
"""


def test_ctrl_c_meanwhile_is_one_line(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    done = subprocess.run([*PROGRAM, INTERRUPTED], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("importing\n", "\ninterrupted\n")
    assert done.returncode == 128 + signal.SIGINT
