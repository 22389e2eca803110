"""python -m mim_tf.inspect, on a valid and on a damaged example of everything it knows."""

import imageio.v3 as imageio
import numpy as np
import pytest
from absl import flags as absl_flags

import mim_tf
from mim_tf import flags, inspect
from mim_tf.data.npz import write_npz
from mim_tf.data.taxibj import write_taxibj

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


def levels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def write_example(kind, folder):
    """Something `recognise` takes for `kind`, and its number of frames and their size."""
    folder.mkdir()
    if kind == "mnist":
        write_npz(folder / "clips.npz", levels(2, 5, 16, 20, 3), 3)
        return folder / "clips.npz", "5 frames, 16 x 20 x 3"
    if kind == "array":
        np.savez(folder / "videos.npz", levels(2, 5, 16, 20))
        return folder / "videos.npz", "5 frames, 16 x 20 x 1"
    if kind == "taxibj":
        write_taxibj(folder)
        return folder, "8 frames, 32 x 32 x 2"
    if kind == "radar":
        np.save(folder / "event.npy", np.linspace(0, 60, 21 * 64).reshape(21, 8, 8))
        return folder, "20 frames, 8 x 8 x 1"
    names = [f"clip/{t}.png" for t in range(20)]
    if kind == "human":
        names = [f"{s}_Walking.5_{5 * t:06d}.jpg" for s in ("S1", "S9") for t in range(16)]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        imageio.imwrite(folder / name, levels(24, 24, 3))
    return folder, "8 frames, 128 x 128 x 3" if kind == "human" else "20 frames, 24 x 24 x 3"


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
