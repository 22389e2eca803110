"""python -m mim_tf.cli.inspect, on a valid and on a damaged example of everything it knows."""

import imageio.v3 as imageio
import numpy as np
import pytest
from absl import flags as absl_flags

import mim_tf
from mim_tf.cli import flags, inspect
from tests.data_examples import write_example

SOUND = "Sound: every value was read"


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs the program in `tmp_path` and returns what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(path, *arguments):
        values = absl_flags.FlagValues()
        monkeypatch.setattr(flags, "FLAGS", values)
        flags.define_config_flags(mim_tf.DataConfig, mim_tf.ModelConfig, values=values)
        absl_flags.DEFINE_string("output", "", "", flag_values=values)
        inspect.main(values(["inspect", str(path), *arguments]))
        return capsys.readouterr().out

    return run


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mnist", "array", "taxibj", "radar", "human", "folder"])
def test_data_is_recognised_described_and_shown(kind, run, tmp_path):
    path, frames = write_example(kind, tmp_path / "data")
    printed = run(path)
    assert f"--dataset={kind}" in printed
    assert frames in printed
    assert SOUND in printed
    sheet = imageio.imread(tmp_path / f"inspect-{path.name}.png")
    assert sheet.shape[-1] == 3
    assert sheet.std() > 0


def test_the_data_set_can_be_named_and_its_values_declared(run, tmp_path):
    path, _ = write_example("radar", tmp_path / "data")
    array = np.load(path / "event.npy")
    array[0, 0, 0] = np.nan
    np.save(path / "event.npy", array)
    assert "radar_missing" in error_of(run, path)
    assert "missing values: 0.08%" in run(path, "--dataset=radar", "--radar_missing=nan")


def error_of(run, *arguments):
    with pytest.raises(SystemExit) as exit_info:
        run(*arguments)
    return str(exit_info.value.code)


def test_pictures_are_never_replaced(run, tmp_path):
    path, _ = write_example("mnist", tmp_path / "data")
    first, second = run(path), run(path)
    assert "inspect-clips.npz.png" in first
    assert "inspect-clips.npz-2.png" in second
    assert "exists already" in error_of(run, path, "--output=inspect-clips.npz.png")


def test_weights_are_loaded_and_listed(run, tmp_path, tiny_model):
    mim_tf.save_weights(tiny_model, tmp_path / "mine.h5")
    printed = run("mine.h5")
    assert "weights of mim" in printed
    assert "num_hidden: (4, 4)" in printed
    assert "mim_block_2/from_input/kernel" in printed
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize("name", ["data.npz", "data.npy", "weights.h5", "video.mp4", "no suffix"])
def test_damaged_files_are_named(name, run, tmp_path):
    (tmp_path / name).write_bytes(b"\x93NUMPY and nothing else")
    assert error_of(run, tmp_path / name).startswith(f"error: {tmp_path / name}")


def test_nothing_and_an_empty_folder_are_named(run, tmp_path):
    assert "found nothing" in error_of(run, tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "found none of them" in error_of(run, tmp_path / "empty")
