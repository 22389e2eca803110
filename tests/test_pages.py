"""The commands on the pages run, at a small size, or stand below with the reason why not."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

import mim_tf
from tests.data_examples import levels, write_example

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"^(?:\w+=\S+ )*(?:mim \w+|python run\.py) ?.*$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

NOT_RUN = {
    "--coordinator=": "two processes train in tests/training/test_devices.py",
    "model.ckpt-80000": "golden checkpoints, in tests/cli/test_convert.py and tests/weights",
    "--format=onnx": "tests/serving/test_single_file.py",
    "--format=litert": "tests/serving/test_single_file.py",
}

WEIGHTS = "checkpoints/mine/run-001/best.weights.h5"
SMALL = ["--digits=bundled", "--max_test_sequences=2", "--num_save_samples=1", "--batch_size=2"]
NETWORK = ["--num_hidden=4,4", "--filter_size=3", "--precision=float32"]
SHORT = ["--max_iterations=2", "--test_interval=2", "--snapshot_interval=2"]
TRAIN = [*SMALL, *NETWORK, *SHORT]
MORE = {
    "mim evaluate": SMALL,
    "mim analyze": ["--digits=bundled", "--sequences=2", "--batch_size=2"],
    "mim export": ["--nowarmup"],
}


def commands():
    """(page, command) of every command in a block; one that is on two pages is there once."""
    pages = {
        command: str(page.relative_to(ROOT))
        for page in PAGES
        for language, block in BLOCK.findall(page.read_text())
        if language in ("", "bash")
        for command in COMMAND.findall(block)
    }
    return [(page, command) for command, page in pages.items()]


def small(command):
    """Environment and arguments of `command`, made small."""
    words = shlex.split(command.replace("PATH", "videos.npy"))
    variables = dict(word.split("=") for word in words if re.match(r"[A-Z_]+=", word))
    words = words[len(variables) :]
    if words[0] == "mim":
        more = MORE.get(" ".join(words[:2]), [])
        return variables, ["-m", "mim_tf", *words[1:], *more]
    more = SMALL if "--is_training=False" in words else TRAIN
    if "--flagfile=experiments/finetune.cfg" in words:  # the architecture is that of the weights
        more = [*SMALL, *SHORT]
    if "--resume" in words:
        more = [*more, "--max_iterations=3"]
    return variables, [str(ROOT / "run.py"), *words[2:], *more]


def run(folder, command):
    variables, arguments = small(command)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with all that the pages take for granted."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "experiments").symlink_to(ROOT / "experiments")
    np.save(folder / "videos.npy", levels(5, 21, 64, 64))
    np.save(folder / "frames.npy", levels(12, 64, 64))
    imageio.imwrite(folder / "clip.gif", levels(12, 64, 64))
    (folder / "my_clips").mkdir()
    shutil.copy(folder / "frames.npy", folder / "my_clips" / "clip.npy")
    for name in "abcde":
        (folder / "my_videos" / name).mkdir(parents=True)
        for t in range(21):
            imageio.imwrite(folder / "my_videos" / name / f"{t}.png", levels(48, 80, 3))
        (folder / "events").mkdir(exist_ok=True)
        event = np.linspace(0, 60, 21 * 64 * 64).reshape(21, 64, 64)
        np.save(folder / "events" / f"{name}.npy", event)
    imageio.imwrite(folder / "bikes.mp4", levels(120, 64, 64, 3), plugin="pyav", codec="libx264")
    write_example("taxibj", folder / "TaxiBJ")
    write_example("human", folder / "human36m")
    train = run(folder, "python run.py --dataset=mnist --save_dir=checkpoints/mine")
    assert train.returncode == 0, train.stderr
    for name in ("a", "b", "quick"):
        shutil.copytree(folder / "checkpoints" / "mine", folder / "checkpoints" / name)
    shutil.copy(folder / WEIGHTS, folder / "best.weights.h5")
    model = mim_tf.load_model(folder / WEIGHTS)
    mim_tf.save_preset(model, folder / "presets", name="clouds", description="a test")
    export = run(folder, "mim export --pretrained_model=best.weights.h5 --output=served/mim")
    assert export.returncode == 0, export.stderr
    return folder


def test_no_reason_is_left_over():
    everything = "\n".join(command for _, command in commands())
    assert all(part in everything for part in NOT_RUN)


@pytest.mark.slow
@pytest.mark.parametrize(("page", "command"), commands())
def test_it_runs(page, command, workplace):
    reasons = [reason for part, reason in NOT_RUN.items() if part in command]
    if reasons:
        pytest.skip(reasons[0])
    for made in ("future.gif", "mine.gif"):  # nothing that exists is overwritten
        (workplace / made).unlink(missing_ok=True)
    result = run(workplace, command)
    assert result.returncode == 0, f"{page}: {command}\n{result.stderr[-2000:]}"
