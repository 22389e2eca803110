"""`run.py` as it is typed."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / "run.py"
SMALL = ["--img_width=32", "--num_hidden=4,4", "--filter_size=3", "--batch_size=2"]
DATA = ["--digits=bundled", "--valid_sequences=3", "--test_sequences=5", "--dataset=mnist"]


def run(folder, *flags):
    return subprocess.run(
        [sys.executable, str(RUN), *flags], cwd=folder, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which a run was trained with relative paths."""
    folder = tmp_path_factory.mktemp("trained")
    intervals = ["--max_iterations=3", "--test_interval=3", "--snapshot_interval=3"]
    folders = ["--save_dir=out/a", "--gen_frm_dir=out/b"]
    result = run(folder, "--is_training=True", *SMALL, *DATA, *intervals, *folders)
    assert result.returncode == 0, result.stderr
    return folder


def weights(folder):
    return str(folder / "out" / "a" / "run-001" / "mim-000003.weights.h5")


@pytest.mark.slow
def test_what_it_wrote_is_evaluated_without_naming_the_architecture(trained):
    flags = [f"--pretrained_model={weights(trained)}", "--gen_frm_dir=out/c"]
    result = run(trained, "--is_training=False", *DATA, *flags)
    assert result.returncode == 0, result.stderr
    assert "ssim_uint8" in result.stdout
    folder = trained / "out" / "c" / "test-001"
    assert '"sequences": 5' in (folder / "scores.json").read_text()
    assert (folder / "1" / "truth_and_prediction.gif").is_file()


def test_an_error_is_one_sentence(tmp_path):
    result = run(tmp_path, "--train_data_paths=nothing", "--dataset=array")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("error: nothing")
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


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
