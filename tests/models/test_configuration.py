import json
import math

import pytest

from mim_tf.config import ModelConfig
from mim_tf.config.stored import from_json, to_json
from mim_tf.errors import MimError
from mim_tf.values.scale import LinearScale


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(),
        ModelConfig(num_hidden=(8, 8), layer_norm=False),
        ModelConfig(scale=LinearScale("dBZ", 0, 70), frame_step="3 hours", frame_grid="9 x x 8 y"),
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


def test_settings_an_older_version_did_not_have_are_at_their_defaults():
    assert from_json("a.h5", '{"version": "0", "model": {"patch_size": 2}}') == ModelConfig(
        patch_size=2
    )


def test_weights_without_a_scale_have_frames_in_unit_range():
    config = from_json("a.h5", '{"version": "0", "model": {}}')
    assert config.scale is None
    assert config.frame_scale.clipped


def test_settings_of_training_which_version_0_1_stored_are_ignored():
    old = {
        "scheduled_sampling": None,
        "sampling_stop_iter": 50_000,
        "sampling_start_value": 1.0,
        "sampling_changing_rate": 2e-5,
        "updates_per_iteration": 4,
    }
    assert from_json("a.h5", changed(patch_size=2, **old)) == ModelConfig(patch_size=2)


def test_settings_of_a_later_version_are_named():
    text = '{"version": "9.1", "model": {"depth": 2, "colour": 1, "patch_size": 4}}'
    with pytest.raises(MimError, match=r"written by mim_tf 9\.1 .* does not know: colour, depth\."):
        from_json("a.h5", text)


@pytest.mark.parametrize(
    "text",
    [
        *["", "{", "[]", "3", "{}", '{"model": 3, "version": ""}', '{"model": {}}', "[" * 10**5],
        changed(patch_size=math.nan),
        changed(sampling_start_value=math.inf),
        changed(patch_size=4.5).replace("4.5", "1e999"),
    ],
)
def test_damaged_json(text):
    with pytest.raises(MimError, match=r"a\.h5 is damaged: its configuration cannot be read"):
        from_json("a.h5", text)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"img_width": "64"}, "its img_width should be like 64, received '64'"),
        ({"img_width": True}, "its img_width should be like 64, received True"),
        ({"layer_norm": 1}, "its layer_norm should be like True, received 1"),
        ({"model_name": None}, "its model_name should be like 'mim', received None"),
        ({"num_hidden": 64}, "its num_hidden should be like"),
        ({"num_hidden": [64, "x"]}, "its num_hidden should be like"),
        ({"img_channel": 1e999}, "its img_channel should be like 1, received inf|cannot be read"),
        ({"frame_step": 3}, "its frame_step should be like ''"),
        ({"frame_step": "3 h"}, "damaged: Expected a step of time such as '6 hours'"),
        ({"scale": 3}, "damaged: its scale cannot be used"),
        ({"scale": {"unit": "K"}}, "damaged: its scale cannot be used"),
        ({"scale": {"unit": "K", "low": "a", "high": 3}}, "damaged: its scale cannot be used"),
        ({"scale": {"unit": "K", "low": [0, 0], "high": [1, 1]}}, "scale is of 2 channels"),
        ({"patch_size": 7}, "damaged: patch_size 7 must divide"),
    ],
)
def test_damaged_settings(settings, words):
    with pytest.raises(MimError, match=words):
        from_json("a.h5", changed(**settings))
