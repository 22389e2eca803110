"""`mim` and `python -m mim_tf`: the list of commands, and answers before Keras is imported."""

import subprocess
import sys

import pytest

from mim_tf.cli.main import COMMANDS
from mim_tf.version import __version__


def test_alone_it_lists_a_line_for_each_command(mim):
    printed = mim()
    assert printed == mim("--help")
    listed = [line.split()[0] for line in printed.splitlines() if line.startswith("  ")]
    assert tuple(listed) == COMMANDS


@pytest.mark.parametrize("arguments", [(), *((name, "--help") for name in COMMANDS), ("presets",)])
def test_what_it_prints_fits_80_columns(mim, arguments):
    assert max(map(len, mim(*arguments).splitlines())) <= 80


def test_its_version(mim):
    assert mim("--version") == f"mim {__version__}\n"


def test_an_unknown_command_is_answered_with_the_nearest(error_of):
    status, message = error_of("trian")
    assert status == 2
    assert message == (
        "error: trian is not a command. Did you mean train? `mim` alone lists all commands.\n"
    )
    assert "Did you mean" not in error_of("xyzzy")[1]


# Python ends with a trace where anything tries to import Keras or a backend.
WITHOUT_KERAS = """
import runpy, sys
for name in ("keras", "tensorflow", "jax"):
    sys.modules[name] = None
sys.argv = ["mim", *sys.argv[1:]]
runpy.run_module("mim_tf", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 0, "usage: mim COMMAND"),
        (["train", "--help"], 0, "--max_iterations=NUMBER  (default: 80000)"),
        (["compare", "--help"], 0, "--names=TEXT\n"),
        (["train", "--max_iteration=3"], 2, "Did you mean --max_iterations?"),
        (["train", "--batch_size=0"], 2, "--batch_size must be"),
        (["evaluate"], 2, "--pretrained_model=... must be given"),
        (["predict"], 2, "--pretrained_model=... and --input=... and --output=... must be given"),
        (["inspect"], 2, "Expected PATH; received nothing"),
        (["train", "--taxibj_order=clean"], 2, "must be chronological or reference"),
        (["train", "--lr=-1"], 1, "lr must be above 0"),
    ],
)
def test_it_answers_before_keras_is_imported(arguments, status, words):
    program = [sys.executable, "-c", WITHOUT_KERAS, *arguments]
    done = subprocess.run(program, capture_output=True, text=True)
    assert words in (done.stderr if status else done.stdout)
    assert "Traceback" not in done.stderr
    assert done.returncode == status


IN_PYTHON = """
import sys
import mim_tf
assert "keras" not in sys.modules
print(mim_tf.layers.__name__, mim_tf.build_model.__name__)
assert not hasattr(mim_tf, "nothing")
"""


def test_in_python_the_package_is_whole_once_it_is_used():
    done = subprocess.run([sys.executable, "-c", IN_PYTHON], capture_output=True, text=True)
    assert done.stdout == "mim_tf.layers build_model\n", done.stderr


def test_a_reader_that_leaves_early_is_no_error():
    command = f"{sys.executable} -m mim_tf train --help | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")
