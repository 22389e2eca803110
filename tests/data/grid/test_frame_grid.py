"""Whether fields lie where those of the training did."""

import dataclasses
import json

import numpy as np
import pytest

from mim_tf.config import DataConfig, ModelConfig
from mim_tf.config.stored import from_json, to_json
from mim_tf.data.dataset import frame_shape, open_source
from mim_tf.errors import MimError
from mim_tf.values.grid import Axis, FrameGrid, check_grid
from tests import grid_files
from tests.data_examples import model_for

LATITUDES, LONGITUDES = grid_files.LATITUDES, grid_files.LONGITUDES


def grid(latitudes=LATITUDES, longitudes=LONGITUDES, names=("lat", "lon")):
    """A grid with these coordinates, or without where a number of them is given."""
    return FrameGrid(
        *(
            Axis(name, values) if isinstance(values, int) else Axis.of(name, np.array(values))
            for name, values in zip(names, (latitudes, longitudes), strict=True)
        )
    )


GLOBE = grid()
OLD = FrameGrid.from_stored("6 lat (60 to 30) x 8 lon (0 to 315)")


@pytest.mark.parametrize(
    ("learnt", "found"),
    [
        (GLOBE, grid()),
        (GLOBE, grid(np.float32(LATITUDES) + 1e-5, names=("latitude", "longitude"))),
        (OLD, GLOBE),
        (None, GLOBE),
        (GLOBE, None),
        (grid([60, 50, 40], [-10, 0, 10]), grid([60, 50, 40], [350, 360, 370])),
        (grid(5, 6, ("x", "y")), grid(5, 6, ("x", "y"))),
        (FrameGrid.from_stored("5 x x 6 y"), grid(5, 6, ("x", "y"))),
        (grid([50], [0]), grid([50], [0])),
    ],
)
def test_the_same_place(learnt, found, caplog):
    check_grid(learnt, found, "in.nc", must=True)
    check_grid(learnt, found, "in.nc", must=False)
    assert not caplog.records


def gaussian(size):
    return np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(size)[0]))


@pytest.mark.parametrize(
    ("learnt", "found"),
    [
        *((grid(gaussian(n)), grid(np.linspace(*gaussian(n)[[0, -1]], n))) for n in (32, 640)),
        (GLOBE, grid(LATITUDES - 40)),
        (OLD, grid(LATITUDES - 40)),
        (GLOBE, grid(longitudes=np.arange(10, 18))),
        (GLOBE, grid(longitudes=LONGITUDES + 22.5)),
        (GLOBE, grid(6, 8)),
        (GLOBE, grid([7, 6.6, 6.2, 5.8, 5.4, 5], np.linspace(0, 1, 8), ("y", "x"))),
    ],
)
def test_another_place(learnt, found, caplog):
    check_grid(learnt, found, "in.nc", must=False)
    (record,) = caplog.records
    assert learnt.words in record.message
    assert found.words in record.message
    with pytest.raises(MimError, match=r"^in\.nc"):
        check_grid(learnt, found, "in.nc", must=True)


@pytest.mark.parametrize("learnt", [GLOBE, OLD])
@pytest.mark.parametrize(
    ("found", "remedy"),
    [
        (grid(LATITUDES[::-1]), r"lat from 60 to 30.*sortby\('lat', ascending=False\)"),
        (grid(longitudes=LONGITUDES - 180), r"lon from 0 to 315.*roll\(lon=-4,"),
        (grid(longitudes=LONGITUDES - 45), r"lon from 0 to 315.*roll\(lon=-1,"),
    ],
)
def test_reversed_and_rolled_fields_are_always_refused(learnt, found, remedy):
    for must in (True, False):
        with pytest.raises(MimError, match=f"in.nc.*{remedy}"):
            check_grid(learnt, found, "in.nc", must)


def test_the_globe_may_have_its_first_column_twice():
    with pytest.raises(MimError, match="from 0 to 360"):
        check_grid(grid([9, 0], range(0, 361, 45)), grid([9, 0], range(-180, 181, 45)), "", False)


@pytest.mark.parametrize("kept", [GLOBE, OLD, grid(gaussian(640), 8), None])
def test_a_configuration_keeps_the_grid(kept):
    config = ModelConfig(frame_grid=kept)
    assert from_json("a.h5", to_json(config)) == config
    assert ModelConfig(**json.loads(json.dumps(dataclasses.asdict(config)))) == config
    content = json.loads(to_json(ModelConfig()))
    for words, grid in (("6 lat (60 to 30) x 8 lon (0 to 315)", OLD), ("", None)):  # version 1.2
        content["model"]["frame_grid"] = words
        assert from_json("a.h5", json.dumps(content)).frame_grid == grid


def opened(model=None, split="valid", **paths):
    data = DataConfig(dataset="grid", **{name: str(path) for name, path in paths.items()})
    model = model or model_for(frame_shape(data))
    source = open_source(data, model, split)
    known = {"scale": source.scale, "frame_grid": source.frame_grid}
    return source, dataclasses.replace(model, **known)


def write(path, **axes):
    return grid_files.write(path, grid_files.dataset(40, **axes))


def test_training_and_validation_need_one_grid_but_weights_may_be_tried_elsewhere(tmp_path, caplog):
    train, other = write(tmp_path / "a.nc"), write(tmp_path / "b.nc", latitudes=LATITUDES - 10)
    source, model = opened(split="train", train_data_paths=train)
    assert source.frame_grid == GLOBE
    with pytest.raises(MimError, match=r"b\.nc: .*50 to 20"):
        opened(model, train_data_paths=train, valid_data_paths=other)
    assert not caplog.records
    opened(model, "test", valid_data_paths=other)
    opened(model, "train", train_data_paths=other)
    assert len(caplog.records) == 2


def test_a_projected_axis_does_not_go_round_the_globe(caplog):
    """360 km further is another place, and 360 columns of 1 km are no globe to be rolled."""
    x = np.arange(360.0)
    assert Axis.of("lon", x).is_same(Axis.of("lon", x + 360), "w")
    assert not Axis.of("x", x).is_same(Axis.of("x", x + 360), "w")
    assert not Axis.of("x", x).is_same(Axis.of("x", x + 100), "w")
