"""Every benchmark starts: what it imports is there, and its flags are sound."""

import contextlib
import io
import multiprocessing
import os
import runpy
import sys
from pathlib import Path
from unittest import mock

import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
PROGRAMS = sorted(path for path in BENCHMARKS.glob("*.py") if "app.run(main)" in path.read_text())


@pytest.fixture(scope="module")
def processes():
    """A new process for every task, forked from one that has done the slow imports already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keras", "mim_tf", "tensorflow"])
    # Keras is quicker to import with JAX.
    environment = {"KERAS_BACKEND": "jax", "PYTHONPATH": os.pathsep.join(sys.path)}
    with mock.patch.dict(os.environ, environment), context.Pool(2, maxtasksperchild=1) as pool:
        yield pool


def help_of(program):
    sys.path.insert(0, str(BENCHMARKS))
    sys.argv = [str(program), "--help"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        runpy.run_path(str(program), run_name="__main__")
    return printed.getvalue()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_help(processes, program):
    text = processes.apply(help_of, [program])
    first_line = program.read_text().splitlines()[0].strip('"')
    assert first_line in text
    assert "--" in text
