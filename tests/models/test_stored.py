"""The configuration in weights files: saved, loaded, and refused if it is corrupted."""

import json
import math

import pytest

from mim_tf.config import ModelConfig
from mim_tf.config.stored import from_json, to_json
from mim_tf.errors import MimError
from mim_tf.values.grid import Axis, FrameGrid
from mim_tf.values.scale import LinearScale


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(),
        ModelConfig(num_hidden=(8, 8), layer_norm=False),
        ModelConfig(scale=LinearScale("dBZ", 0, 70), frame_step="3 hours"),
        ModelConfig(frame_grid=FrameGrid(Axis("x", 9), Axis("y", 8, (1.0, 3.5)))),
        ModelConfig(
            img_channel=2,
            scale=LinearScale(("K", ""), (270.1, 0.0), (280.2, 1.0), False, names=("t2m", "q")),
        ),
    ],
)
def test_round_trip(config):
    assert from_json("a.h5", to_json(config)) == config


def changed(**settings):
    content = json.loads(to_json(ModelConfig()))
    content["model"].update(settings)
    return json.dumps(content)


def test_files_of_earlier_versions():
    old = from_json("a.h5", '{"version": "0", "model": {"patch_size": 2}}')
    assert old == ModelConfig(patch_size=2)
    assert old.scale is None
    assert old.frame_scale.clipped
    grid = from_json("a.h5", changed(frame_grid="9 x x 8 y")).frame_grid
    assert grid == FrameGrid(Axis("x", 9), Axis("y", 8))
    of_training = {
        "scheduled_sampling": None,
        "sampling_stop_iter": 50_000,
        "sampling_start_value": 1.0,
        "sampling_changing_rate": 2e-5,
        "updates_per_iteration": 4,
    }
    assert from_json("a.h5", changed(patch_size=2, **of_training)) == old


def test_settings_of_a_later_version_are_refused_by_name():
    text = '{"version": "9.1", "model": {"depth": 2, "colour": 1, "patch_size": 4}}'
    with pytest.raises(MimError, match=r"a\.h5.* colour, depth .*9\.1"):
        from_json("a.h5", text)


@pytest.mark.parametrize(
    "text",
    [
        *["", "{", "[]", "3", "{}", '{"model": 3, "version": ""}', '{"model": {}}', "[" * 10**5],
        changed(patch_size=math.nan),
        changed(sampling_start_value=math.inf),
        changed(patch_size=4.5).replace("4.5", "1e999"),
        changed(img_width="64"),
        changed(img_width=True),
        changed(layer_norm=1),
        changed(model_name=None),
        changed(num_hidden=64),
        changed(num_hidden=[64, "x"]),
        changed(img_channel=1e999),
        changed(frame_step=3),
        changed(frame_step="3 h"),
        changed(frame_grid=3),
        changed(frame_grid="no grid"),
        changed(frame_grid="6 lat (60 to thirty) x 8 lon (0 to 315)"),
        changed(frame_grid="6 lat (60 to nan) x 8 lon (0 to 315)"),
        changed(frame_grid={"rows": {}}),
        *(
            changed(frame_grid={"rows": rows, "columns": {"name": "x", "size": 2}})
            for rows in (
                {"name": 3, "size": 2},
                {"name": "y", "size": "2"},
                {"name": "y", "size": 2, "coordinates": 7},
            )
        ),
        changed(scale=3),
        changed(scale={"unit": "K"}),
        changed(scale={"unit": "K", "low": "a", "high": 3}),
        changed(scale={"unit": "K", "low": [0, 0], "high": [1, 1]}),
        changed(patch_size=7),
    ],
)
def test_a_corrupted_configuration_is_refused(text):
    with pytest.raises(MimError, match=r"a\.h5 is corrupted"):
        from_json("a.h5", text)
