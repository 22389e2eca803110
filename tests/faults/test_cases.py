"""Files of every kind that is read, damaged: nothing but the right content or one sentence."""

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_damaged_files_are_refused_in_a_sentence():
    command = [sys.executable, "-m", "tests.faults", "--cases=400"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=os.environ)
    assert done.returncode == 0, done.stdout
    *_, total, _ = done.stdout.splitlines()
    assert total.split()[:2] == ["all", "400"]
