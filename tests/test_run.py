"""`run.py` as it is typed."""

import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).parents[1] / "run.py"


def run(folder, *flags):
    return subprocess.run(
        [sys.executable, str(RUN), *flags], cwd=folder, capture_output=True, text=True
    )


def test_it_asks_for_weights_to_evaluate(tmp_path):
    result = run(tmp_path, "--is_training=False")
    assert result.returncode == 2
    assert "--pretrained_model" in result.stderr.splitlines()[0]


def test_it_has_the_flags_of_mim_train(tmp_path):
    lines = run(tmp_path, "--helpfull").stdout.splitlines()
    assert any("is_training" in line for line in lines)
    program = [sys.executable, "-m", "mim_tf", "train", "--helpfull"]
    train = subprocess.run(program, cwd=RUN.parent, capture_output=True, text=True).stdout
    flags = {line for line in train.splitlines() if line.lstrip().startswith("--")}
    assert len(flags) > 50
    assert flags < set(lines)


def test_a_word_after_a_switch_is_not_taken_for_nothing(tmp_path):
    result = run(tmp_path, "--is_training", "False")
    assert result.returncode == 2
    assert "--is_training=False" in result.stderr
