"""The declarations of a data set: the settings it uses, its defaults, and sets of one's own."""

import contextlib
import dataclasses
import json

import numpy as np
import pytest

from mim_tf.cli.main import main
from mim_tf.config import DataConfig, DataSet, datasets, register_data_set
from mim_tf.config.data import used_settings
from mim_tf.config.datasets import registered_data_sets
from mim_tf.data.dataset import frame_shape, open_source
from mim_tf.data.files.arrays import ArraySource
from mim_tf.data.source import SequenceSource
from mim_tf.errors import MimError
from tests.models.small_models import small_config
from tests.test_readme import block


def test_settings_are_fields_of_the_configuration():
    fields = {field.name for field in dataclasses.fields(DataConfig)}
    declared = {name for each in registered_data_sets().values() for name in each.settings}
    for_all = {"dataset", "train_data_paths", "valid_data_paths", "test_sha256", "check_files"}
    assert declared | for_all == fields
    assert not declared & for_all


OTHER_VALUES = {
    "digits": "bundled",
    "split_dates": "2016-01-01,2017-01-01",
    "region": (0, 1, 2, 3),
    "scale": "none",
    "variables": "a",
    "group": "a",
    "radar_missing": "nan",
    "thresholds": (3.0,),
}


def another_value(name):
    """Another value than the default of a setting."""
    (setting,) = (each for each in dataclasses.fields(DataConfig) if each.name == name)
    if isinstance(setting.default, bool):
        return not setting.default
    if choices := setting.metadata["choices"]:
        return choices[-1]
    return OTHER_VALUES.get(name) or (0.2 if "fraction" in name else setting.default + 1)


@pytest.mark.parametrize("dataset", registered_data_sets())
def test_settings_of_another_data_set_are_refused(dataset):
    for name in {name for each in registered_data_sets().values() for name in each.settings}:
        if name in registered_data_sets()[dataset].settings:
            crop = {"crop": 4} if name in ("wet_share", "turned") else {}
            DataConfig(dataset, **{name: another_value(name), **crop})
            continue
        with pytest.raises(MimError, match=f"--{name} is for .*, not for --dataset={dataset}"):
            DataConfig(dataset, **{name: another_value(name)})


@pytest.mark.parametrize("dataset", registered_data_sets())
def test_defaults_of_a_data_set_are_not_stored_as_if_they_were_given(dataset):
    plain = dataclasses.asdict(DataConfig())
    assert dataclasses.asdict(DataConfig(dataset)) == plain | {"dataset": dataset}


def test_default_thresholds_follow_the_other_settings():
    vil = DataConfig("sevir")
    assert vil.event_thresholds == (16, 74, 133, 160, 181, 219)
    assert dataclasses.replace(vil, sevir_type="vis").event_thresholds == ()
    assert dataclasses.replace(vil, thresholds=(9,)).event_thresholds == (9,)
    assert vil.thresholds == DataConfig("folder").event_thresholds == ()


def test_settings_without_effect_in_older_runs_are_left_out():
    stored = json.loads(json.dumps(dataclasses.asdict(DataConfig("radar", thresholds=(20,)))))
    kept = used_settings({**stored, "num_digits": 5, "region": [1, 2, 3, 4]})
    assert DataConfig(**kept) == DataConfig("radar", thresholds=(20,))


LEVELS = np.arange(2 * 8 * 12 * 2).reshape(1, 2, 8, 12, 2) % 256
FRAMES = (LEVELS / 255).astype(np.float32)


@pytest.mark.parametrize(
    ("frames", "has_missing", "named"),
    [
        (FRAMES, False, None),
        (np.where(FRAMES < 0.5, np.nan, FRAMES), True, None),
        (np.full_like(FRAMES, np.nan), True, None),
        (LEVELS / 255, False, "float64"),
        (LEVELS.astype(np.uint8), False, "uint8"),
        (LEVELS.astype(np.float32), False, "255"),
        (-FRAMES, False, "-1"),
        (FRAMES[:, :1], False, "1, 1, 8"),
        (np.where(FRAMES < 0.5, np.nan, FRAMES), False, "has_missing"),
        (np.ma.masked_less(FRAMES, 0.5), True, "mask"),
    ],
)
def test_sequences_of_ones_own_are_checked_when_opened(frames, has_missing, named, monkeypatch):
    class Own(SequenceSource):
        size, shape = 3, FRAMES.shape[1:]

        def sequences(self, indices):
            return frames[np.zeros(len(indices), int)]

    def open_own(data, split, frame_shape, total_length):
        source = Own()
        source.has_missing = has_missing
        return source

    monkeypatch.setattr(datasets, "_DATA_SETS", registered_data_sets())
    register_data_set(DataSet("own", open_own, FRAMES.shape[2:]))
    expected = pytest.raises(MimError, match=named) if named else contextlib.nullcontext()
    with expected:
        open_source(DataConfig("own"), small_config(input_length=1, total_length=2), "train")


@pytest.mark.parametrize(("size", "length"), [(0, 2), (1, 3)])
def test_sequences_of_ones_own_are_of_the_length_of_the_model(size, length, monkeypatch):
    source = ArraySource(FRAMES)
    source.size = size
    monkeypatch.setattr(datasets, "_DATA_SETS", registered_data_sets())
    register_data_set(DataSet("own", lambda *_: source, FRAMES.shape[2:]))
    with pytest.raises(MimError, match=f"{length} frames .total_length., got {size} of 2"):
        open_source(DataConfig("own"), small_config(input_length=1, total_length=length), "train")


@pytest.mark.slow
def test_a_data_set_of_ones_own_is_trained_on_and_evaluated(in_tmp, monkeypatch):
    monkeypatch.setattr(datasets, "_DATA_SETS", registered_data_sets())
    (in_tmp / "columns.py").write_text(block("CONTRIBUTING.md", "SequenceSource"))
    flags = ["--network_module=columns.py", "--dataset=columns", "--batch_size=2"]
    small = ["--model_name=convlstm_net", "--num_hidden=2", "--filter_size=1", "--patch_size=8"]
    small += ["--input_length=2", "--total_length=4", "--num_save_samples=0"]
    main(["train", *flags, *small, "--max_iterations=1", "--save_dir=runs", "--gen_frm_dir=shown"])
    assert frame_shape(DataConfig("columns")) == (32, 32, 1)
    weights = next(in_tmp.glob("runs/run-*/*.weights.h5"))
    main(["evaluate", *flags, f"--pretrained_model={weights}", *small[-1:], "--gen_frm_dir=scored"])
    (scores,) = in_tmp.glob("scored/*/scores.json")
    found = json.loads(scores.read_text())
    assert (found["data"]["source"], found["data"]["sequences"]) == ("MovingColumn", 10)
    assert np.isfinite(found["mean"]["mse"])
    with pytest.raises(MimError, match="window_stride"):
        DataConfig("columns", window_stride=2)
