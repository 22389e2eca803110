"""mim predict."""

import imageio.v3 as imageio
import numpy as np
import pytest
import xarray as xr

import mim_tf
from mim_tf.cli.predict import COMMAND
from mim_tf.prediction.outputs import FORMS
from tests import grid_files


def typed(arguments):
    return ["predict", *(f"--{name}={value}" for name, value in arguments.items())]


@pytest.fixture
def run(mim, monkeypatch, tmp_path):
    """Runs the command in `tmp_path` and returns what it printed."""
    monkeypatch.chdir(tmp_path)
    return lambda **arguments: mim(*typed(arguments))


@pytest.fixture
def weights(tiny_model, tmp_path):
    mim_tf.save_weights(tiny_model, tmp_path / "mine.h5")
    return "mine.h5"


def test_forms_are_those_there_are():
    values, _ = COMMAND.flag_groups()
    assert values["format"].parser.enum_values == list(FORMS)


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


@pytest.mark.slow
def test_fields_are_predicted_as_far_apart_as_they_were_in_training(mim, run, tmp_path):
    fields = grid_files.dataset(120, step="h")
    grid_files.write(tmp_path / "in.nc", fields)
    sizes = "--patch_size=2 --num_hidden=4,4 --filter_size=3 --input_length=2 --total_length=4"
    length = "--max_iterations=1 --snapshot_interval=1 --test_interval=9 --num_save_samples=0"
    paths = "--train_data_paths=in.nc --save_dir=runs --gen_frm_dir=pictures --batch_size=2"
    mim("train", "--dataset=grid", "--frame_interval=3", *f"{sizes} {length} {paths}".split())
    (weights,) = (tmp_path / "runs" / "run-001").glob("mim-*.h5")
    printed = run(pretrained_model=weights, input="in.nc", output="out.nc")
    assert printed == "inputs: 1, frames predicted: 2, 3 hours apart, in out.nc\n"
    made = xr.open_dataset("out.nc")
    later = fields["time"].values[-1] + np.array([3, 6], "timedelta64[h]")
    np.testing.assert_array_equal(made["time"].values, later)


def test_errors_are_one_sentence_and_come_before_any_work(
    run, error_of, weights, tiny_frames, tmp_path
):
    np.save("frames.npy", tiny_frames[0])
    (tmp_path / "out.npy").write_text("mine")
    given = {"pretrained_model": weights, "input": "frames.npy", "output": "new.npy"}
    for change, message in (
        ({"output": "out.npy"}, "out.npy exists already"),
        ({"output": "new.avi"}, "ends in .npy"),
        ({"input": "nothing.npy"}, "found nothing there"),
        ({"horizon": 0}, "--horizon must be"),
        ({"context": 7}, "expected at least 7 frames"),
        ({"format": "gif"}, "--format is for a folder"),
        ({"pretrained_model": "nothing.h5"}, "No weights at nothing.h5"),
        ({"img_channel": 3}, "contradicts"),
        ({"pretrained_model": "."}, "expected a weights file, or a folder made by"),
        ({"pretrained_model": ".", "img_width": 32}, "leave out --img_width"),
    ):
        status, printed = error_of(*typed(given | change))
        assert status in (1, 2)
        assert printed.startswith("error: ")
        assert message in printed
        assert printed.count("\n") == 1
    assert (tmp_path / "out.npy").read_text() == "mine"
    assert not (tmp_path / "new.npy").exists()
