"""Whether fields lie as those of the training do."""

import numpy as np
import pytest
from absl import logging

from mim_tf.config import DataConfig, ModelConfig
from mim_tf.data.dataset import frame_shape, open_source
from mim_tf.data.sets.grid.agreement import check_placement, grid_in_words
from mim_tf.data.sets.grid.grid import Grid
from mim_tf.errors import MimError
from tests import grid_files

EAST = "6 lat (60 to 30) x 8 lon (0 to 315)"


@pytest.fixture
def warned(monkeypatch):
    """The warnings there were."""
    found = []
    monkeypatch.setattr(logging, "warning", lambda text, *args: found.append(text % args))
    return found


@pytest.mark.parametrize(
    ("learnt", "found"),
    [
        (EAST, EAST),
        ("", EAST),
        (EAST, ""),
        (EAST, "6 latitude (60.00001 to 30) x 8 longitude (0 to 315)"),
        ("3 lat (60 to 40) x 3 lon (-10 to 10)", "3 lat (60 to 40) x 3 lon (350 to 370)"),
        ("5 x x 6 y", "5 x x 6 y"),
        ("1 lat (50 to 50) x 1 lon (0 to 0)", "1 lat (50 to 50) x 1 lon (0 to 0)"),
    ],
)
def test_the_same_place(learnt, found, warned):
    check_placement(learnt, found, "in.nc")
    assert not warned


@pytest.mark.parametrize(
    "found",
    [
        "6 lat (20 to -10) x 8 lon (0 to 315)",
        "6 lat (60 to 30) x 8 lon (10 to 17)",
        "6 lat (60 to 30) x 8 lon (22.5 to 337.5)",
        "6 lat x 8 lon",
        "6 y (7 to 5) x 8 x (0 to 1)",
    ],
)
def test_another_place_is_a_warning(found, warned):
    check_placement(EAST, found, "in.nc")
    assert warned == [
        f"in.nc: the model was trained on fields of {EAST}, these are of {found}: it may know "
        "little of this place."
    ]


def test_reversed_fields_are_refused():
    with pytest.raises(
        MimError, match=r"in.nc: expected lat from 60 to 30, .* received 30 to 60.*\.sortby\('lat'"
    ):
        check_placement(EAST, "6 lat (30 to 60) x 8 lon (0 to 315)", "in.nc")
    with pytest.raises(MimError, match=r"sortby\('lat', ascending=True\)"):
        check_placement("6 lat (30 to 60) x 8 x", "6 lat (9 to 2) x 8 x", "in.nc")


@pytest.mark.parametrize(("west", "columns"), [("-180 to 135", 4), ("-45 to 270", 1)])
def test_a_globe_that_begins_elsewhere_is_refused(west, columns):
    with pytest.raises(
        MimError,
        match=rf"in.nc: expected lon from 0 to 315, .* received {west}.*\.roll\(lon=-{columns},",
    ):
        check_placement(EAST, f"6 lat (60 to 30) x 8 lon ({west})", "in.nc")


def test_the_globe_may_have_its_first_column_twice():
    with pytest.raises(MimError, match="expected lon from 0 to 360"):
        check_placement(
            "2 lat (9 to 0) x 9 lon (0 to 360)", "2 lat (9 to 0) x 9 lon (-180 to 180)", ""
        )


def opened(model=None, split="valid", **paths):
    data = DataConfig(dataset="grid", **{name: str(path) for name, path in paths.items()})
    height, width, channels = frame_shape(data)
    sizes = {"img_width": width, "img_height": height, "img_channel": channels}
    model = model or ModelConfig(patch_size=1, input_length=2, total_length=4, **sizes)
    source = open_source(data, model, split)
    known = {"scale": source.scale, "frame_grid": source.frame_grid}
    return source, ModelConfig(**{**vars(model), **known})


def write(path, **axes):
    return grid_files.write(path, grid_files.dataset(40, **axes))


def test_training_and_validation_need_one_grid(tmp_path):
    train = write(tmp_path / "a.nc")
    paths = {"train_data_paths": train, "valid_data_paths": tmp_path / "b.nc"}
    write(paths["valid_data_paths"], latitudes=grid_files.LATITUDES - 10)
    source, model = opened(split="train", **paths)
    assert source.frame_grid == EAST
    with pytest.raises(
        MimError, match=r"b.nc: expected the grid of the training, .* received 6 lat \(50 to 20"
    ):
        opened(model, **paths)
    write(tmp_path / "c.nc", start="2016-01-01", seed=1, latitudes=grid_files.LATITUDES + 1e-5)
    opened(model, train_data_paths=train, valid_data_paths=tmp_path / "c.nc")


def test_weights_are_tried_elsewhere_and_trained_further_there(tmp_path, warned):
    _, model = opened(split="train", train_data_paths=write(tmp_path / "a.nc"))
    there = write(tmp_path / "b.nc", latitudes=grid_files.LATITUDES - 10)
    opened(model, "test", valid_data_paths=there)
    opened(model, "train", train_data_paths=there)
    opened(model, "train", train_data_paths=there, valid_data_paths=tmp_path / "a.nc")
    assert len(warned) == 3
    turned = write(tmp_path / "c.nc", latitudes=grid_files.LATITUDES[::-1])
    with pytest.raises(MimError, match="expected lat from 60 to 30"):
        opened(model, "test", valid_data_paths=turned)


def test_the_globe_is_mended_as_the_sentence_says(tmp_path, warned):
    fields = grid_files.dataset(2, longitudes=np.arange(-180, 180, 45.0))
    rolled = grid_files.write(tmp_path / "a.nc", fields.roll(lon=-4, roll_coords=True))
    check_placement(EAST, grid_in_words(Grid([rolled]).coordinates), "a.nc")
    assert not warned


def test_a_region_is_the_same_in_both_conventions(tmp_path, warned):
    east = write(tmp_path / "a.nc", longitudes=np.arange(0, 360, 45.0))
    west = write(tmp_path / "b.nc", longitudes=np.arange(-180, 180, 45.0))
    learnt, found = (
        grid_in_words(Grid([path], region=(60, 30, -90, 90)).coordinates) for path in (east, west)
    )
    check_placement(learnt, found, "in.nc")
    assert not warned


def test_the_words_tell_neighbouring_grids_apart(tmp_path):
    path = write(tmp_path / "a.nc", latitudes=np.linspace(6543217.5, 5543217.5, 6))
    assert "(6543218 to 5543218)" in grid_in_words(Grid([path]).coordinates)
