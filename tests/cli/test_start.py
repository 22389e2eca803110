"""What a command writes while Keras starts, in processes of their own."""

import signal
import subprocess
import sys

PROGRAM = [sys.executable, "-c"]


def test_none_of_the_notes_of_tensorflow_come_before_ours(tmp_path):
    program = [sys.executable, "-m", "mim_tf", "inspect", str(tmp_path / "nothing")]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.stderr == (
        f"error: {tmp_path / 'nothing'}: expected a file or folder, found nothing. Check the "
        "path.\n"
    )


NO_BACKEND = """
import sys
from mim_tf.cli.start import import_keras
sys.modules["tensorflow"] = None
print("mine", file=sys.stderr)
import_keras()
"""


def test_what_goes_wrong_meanwhile_is_shown(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    done = subprocess.run([*PROGRAM, NO_BACKEND], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("mine\nTraceback")


INTERRUPTED = """
import os, signal, sys
from mim_tf.cli.start import import_keras

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
