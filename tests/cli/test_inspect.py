"""mim inspect, on a valid and on a damaged example of everything it knows."""

import functools

import imageio.v3 as imageio
import numpy as np
import pytest

import mim_tf
from tests.data_examples import write_example

KINDS = ["mnist", "array", "taxibj", "radar", "human", "kth", "sevir", "hko7", "folder", "grid"]
SOUND = "Sound: every value "


@pytest.fixture(autouse=True)
def _in_an_empty_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(mim):
    return functools.partial(mim, "inspect")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_data_is_recognised_described_and_shown(kind, run, tmp_path):
    path, frames = write_example(kind, tmp_path / "data")
    printed = run(path)
    assert f"--dataset={kind}" in printed
    assert frames in printed
    assert SOUND in printed
    sheet = imageio.imread(tmp_path / f"inspect-{path.name}.png")
    assert sheet.shape[-1] == 3
    assert sheet.std() > 0


def test_the_data_set_can_be_named_and_its_values_declared(run, error_of, tmp_path):
    path, _ = write_example("radar", tmp_path / "data")
    array = np.load(path / "event.npy")
    array[0, 0, 0] = np.nan
    np.save(path / "event.npy", array)
    assert "radar_missing" in error_of("inspect", path)[1]
    assert "missing values: 0.08%" in run(path, "--dataset=radar", "--radar_missing=nan")


def test_all_frame_sizes_are_listed_and_resized_to_one(run, error_of, tmp_path):
    path, _ = write_example("folder", tmp_path / "data")
    for name in ("a.png", "b.png"):
        (path / "small").mkdir(exist_ok=True)
        imageio.imwrite(path / "small" / name, np.zeros((8, 9, 3), np.uint8))
    sizes = ("--window_stride=1", "--total_length=2")
    assert "--resize" in error_of("inspect", path, *sizes)[1]
    printed = run(path, *sizes, "--resize", "--img_width=12", "--img_channel=1")
    assert "frame sizes, height x width (number of files): 24 x 24 (20), 8 x 9 (2)" in printed
    assert "all: 20 sequences of 2 frames, 12 x 12 x 1" in printed


def test_pictures_are_never_replaced(run, error_of, tmp_path):
    path, _ = write_example("mnist", tmp_path / "data")
    first, second = run(path), run(path)
    assert "inspect-clips.npz.png" in first
    assert "inspect-clips.npz-2.png" in second
    assert "exists already" in error_of("inspect", path, "--output=inspect-clips.npz.png")[1]


def test_a_page_in_the_place_of_a_picture(run, error_of, tmp_path):
    path, frames = write_example("mnist", tmp_path / "data")
    printed = run(path, "--output=page.html")
    assert SOUND in printed
    assert printed.endswith("The page is page.html.\n")
    assert frames in (tmp_path / "page.html").read_text()
    assert not list(tmp_path.glob("*.png"))
    assert "exists already" in error_of("inspect", path, "--output=page.html")[1]
    assert (
        "must end in .html or .png, received page.pdf"
        in error_of("inspect", path, "--output=page.pdf")[1]
    )


def test_weights_are_loaded_and_listed(run, error_of, tmp_path, tiny_model):
    mim_tf.save_weights(tiny_model, tmp_path / "mine.h5")
    printed = run("mine.h5")
    assert "weights of mim" in printed
    assert "num_hidden: (4, 4)" in printed
    assert "mim_block_2/from_input/kernel" in printed
    assert not list(tmp_path.glob("*.png"))
    words = error_of("inspect", "mine.h5", "--output=page.html")[1]
    assert "--output shows data, but mine.h5 holds weights" in words


@pytest.mark.parametrize("name", ["data.npz", "data.npy", "weights.h5", "video.mp4", "no suffix"])
def test_damaged_files_are_named(name, error_of, tmp_path):
    (tmp_path / name).write_bytes(b"\x93NUMPY and nothing else")
    assert error_of("inspect", tmp_path / name)[1].startswith(f"error: {tmp_path / name}")


def test_nothing_and_an_empty_folder_are_named(error_of, tmp_path):
    assert "found no such file" in error_of("inspect", tmp_path / "nothing")[1]
    (tmp_path / "empty").mkdir()
    assert "found none of them" in error_of("inspect", tmp_path / "empty")[1]
