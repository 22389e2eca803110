"""The commands of the reliability page, at a small size."""

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["kill_resume", "--kills=2"], "2 kills, 0 traces, different: nothing"),
        (["full_disk_resume", "--fills=1"], "1 full disks, 0 crashes, 0 traces"),
        (["soak", "--updates=20", "--predictions=10"], "10 predictions"),
    ],
)
def test_it_runs(arguments, words):
    command = [sys.executable, "-m", f"tests.faults.{arguments[0]}", *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True)
    if "Not tried" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert words in done.stdout
    assert "Traceback" not in done.stderr
