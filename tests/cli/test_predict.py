"""python -m mim_tf.predict, and the function of the same name."""

import importlib
import subprocess
import sys

import imageio.v3 as imageio
import numpy as np
import pytest
from absl import flags as absl_flags

import mim_tf
from mim_tf.cli import flags


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs the program in `tmp_path` and returns what it printed."""
    monkeypatch.chdir(tmp_path)
    command = importlib.import_module("mim_tf.cli.predict")

    def run(**arguments):
        values = absl_flags.FlagValues()
        monkeypatch.setattr(flags, "FLAGS", values)
        monkeypatch.setattr(command, "FLAGS", values)
        command.define_flags(values)
        command.main(values(["predict", *(f"--{key}={arguments[key]}" for key in arguments)]))
        return capsys.readouterr().out

    return run


@pytest.fixture
def weights(tiny_model, tmp_path):
    mim_tf.save_weights(tiny_model, tmp_path / "mine.h5")
    return "mine.h5"


def error_of(run, **arguments):
    with pytest.raises(SystemExit) as exit_info:
        run(**arguments)
    return str(exit_info.value.code)


def test_the_function_stays_where_it_is():
    # Importing a submodule for the first time binds its name in the package anew.
    for name in ("mim_tf.cli.predict", "mim_tf.cli.predict"):
        importlib.import_module(name)
    assert mim_tf.predict is importlib.import_module("mim_tf.models").predict
    from mim_tf.models import predict

    assert mim_tf.predict is predict


@pytest.mark.slow
def test_it_runs_as_a_module():
    program = [sys.executable, "-m", "mim_tf.cli.predict", "--pretrained_model=a.h5", "--output=b"]
    done = subprocess.run([*program, "--input=no such thing"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "error: no such thing: expected frames, found nothing there. Check the path."
    )
    # Python's, of a module that is imported before it is run.
    assert "RuntimeWarning" not in done.stderr


@pytest.mark.slow
def test_a_folder_of_inputs_from_weights(run, weights, tiny_model, tiny_frames, tmp_path):
    (tmp_path / "in" / "clip").mkdir(parents=True)
    np.save(tmp_path / "in" / "several.npy", tiny_frames)
    levels = np.rint(tiny_frames[0] * 255).astype(np.uint8)
    for number, level in enumerate(levels):
        imageio.imwrite(tmp_path / "in" / "clip" / f"{number}.png", level[..., 0])
    run(pretrained_model=weights, input="in", output="out", horizon=4, context=3, batch_size=4)
    several = mim_tf.predict(tiny_model, tiny_frames[:, 3:], 4).clip(0, 1)
    np.testing.assert_allclose(np.load("out/several.npy"), several, atol=1e-6)
    clip = mim_tf.predict(tiny_model, levels[None, 3:], 4)[0].clip(0, 1)
    np.testing.assert_allclose(np.load("out/clip.npy"), clip, atol=1e-6)


def test_the_horizon_of_the_weights_as_images(run, weights, tiny_frames, tmp_path):
    np.save("frames.npy", tiny_frames[0, ..., 0])
    printed = run(pretrained_model=weights, input="frames.npy", output="out")
    assert printed == "inputs: 1, frames predicted: 3, in out\n"
    assert len(list((tmp_path / "out").glob("pd*.png"))) == 3


def test_errors_are_one_sentence_and_come_before_any_work(run, weights, tiny_frames, tmp_path):
    np.save("frames.npy", tiny_frames[0])
    (tmp_path / "out.npy").write_text("mine")
    given = {"pretrained_model": weights, "input": "frames.npy", "output": "new.npy"}
    for change, message in (
        ({"output": "out.npy"}, "out.npy exists already"),
        ({"output": "new.avi"}, "ends in .npy"),
        ({"input": "nothing.npy"}, "found nothing there"),
        ({"horizon": 0}, "horizon must be at least 1"),
        ({"context": 7}, "expected at least 7 frames"),
        ({"format": "gif"}, "--format is for a folder"),
        ({"pretrained_model": "nothing.h5"}, "No weights at nothing.h5"),
        ({"img_channel": 3}, "contradicts"),
        ({"pretrained_model": "."}, "expected a weights file, or a folder made by"),
        ({"pretrained_model": ".", "img_width": 32}, "leave out --img_width"),
    ):
        assert error_of(run, **given | change).startswith("error: ")
        assert message in error_of(run, **given | change)
    assert (tmp_path / "out.npy").read_text() == "mine"
    assert not (tmp_path / "new.npy").exists()
