import dataclasses
from pathlib import Path

import h5py
import pytest

import mim_tf
from mim_tf.cli.configs import data_config, load_network, model_config, resumed, split_to_score
from mim_tf.cli.flags import given
from mim_tf.cli.train import TRAIN
from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.config.stored import ATTRIBUTE, to_json
from mim_tf.errors import MimError
from mim_tf.runs.record import read_record, write_record
from tests.golden_cases import golden_checkpoint

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def parse(*arguments):
    """The flags of `mim train ARGUMENTS`."""
    values = TRAIN.flag_values()
    values(["mim", *arguments])
    return values


ALONE = [path for path in sorted(EXPERIMENTS.rglob("*.cfg")) if path.stem not in ("fast", "record")]


@pytest.mark.parametrize("path", ALONE, ids=lambda path: path.stem)
def test_every_experiment_is_a_valid_configuration(path):
    values = parse(f"--flagfile={path}")
    model_config(values, values.pretrained_model)
    assert TrainingConfig(**given(TrainingConfig, values)).save_dir != TrainingConfig.save_dir


@pytest.mark.parametrize("experiment", ["taxibj", "human36m", "radar", "mnist_color"])
def test_the_fast_recipe_as_a_second_flagfile(experiment):
    values = parse(*(f"--flagfile={EXPERIMENTS / name}.cfg" for name in (experiment, "fast")))
    training = TrainingConfig(**given(TrainingConfig, values))
    for field in dataclasses.fields(TrainingConfig):
        if field.metadata["by_recipe"]:
            assert getattr(training, field.name) == field.metadata["by_recipe"]["fast"], field.name


def test_a_recipe_has_defaults_that_flags_override():
    values = parse("--recipe=fast", "--lr=0.1")
    training = TrainingConfig(**given(TrainingConfig, values))
    assert (training.optimizer, training.lr) == ("muon", 0.1)
    assert given(DataConfig, values) == {"train_sequences": 0}
    assert model_config(values, "").precision == "auto"
    values = parse("--recipe=fast", "--train_sequences=7", "--precision=float32")
    assert given(DataConfig, values) == {"train_sequences": 7}
    assert model_config(values, "").precision == "float32"


@pytest.fixture
def stored(tmp_path):
    """A function that makes a weights file with a configuration and no weights."""

    def store(**settings):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.attrs[ATTRIBUTE] = to_json(ModelConfig(**settings))
            file.create_group("layers")
        return f"--pretrained_model={tmp_path / 'a.h5'}"

    return store


def test_the_architecture_comes_from_the_file(stored):
    values = parse(stored(num_hidden=(8, 8), img_width=32), "--total_length=30", "--num_hidden=8,8")
    config = model_config(values, values.pretrained_model)
    assert (config.num_hidden, config.img_width, config.total_length) == ((8, 8), 32, 30)


def test_weights_for_one_channel_are_for_any_number_of_channels_apart(stored):
    values = parse(stored(), "--img_channel=3", "--channels_apart")
    config = model_config(values, values.pretrained_model)
    assert config == ModelConfig(img_channel=3, channels_apart=True)


def test_a_file_of_keras_leaves_the_architecture_to_the_flags(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file.create_group("layers")
    values = parse(f"--pretrained_model={tmp_path / 'a.weights.h5'}", "--num_hidden=8,8")
    assert model_config(values, values.pretrained_model) == ModelConfig(num_hidden=(8, 8))


PREDRNN = f"--pretrained_model={golden_checkpoint('predrnn')}"


def test_flags_fill_in_what_a_checkpoint_does_not_tell():
    values = parse(PREDRNN, "--patch_size=2", "--img_width=24", "--total_length=30")
    config = model_config(values, values.pretrained_model)
    assert (config.model_name, config.num_hidden) == ("predrnn", (4, 4, 4))
    assert (config.frame_shape, config.total_length) == ((24, 24, 1), 30)


MIM = f"--pretrained_model={golden_checkpoint('mim')}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--img_channel=3"], r"--img_channel=3 contradicts .*a\.h5, where .* is 1"),
        (["--filter_size=3"], r"--filter_size=3 contradicts .*a\.h5, where .* is 5"),
        ([PREDRNN, "--patch_size=2"], "img_width"),
        (
            [MIM, "--patch_size=2", "--img_width=64"],
            "--img_width=64 contradicts .*ckpt-3, .* is 16",
        ),
    ],
)
def test_flags_that_contradict_the_weights_or_are_missing(stored, arguments, words):
    values = parse(stored(), *arguments)
    with pytest.raises(MimError, match=words):
        model_config(values, values.pretrained_model)


def test_a_resumed_run_may_be_longer_but_not_another():
    values = parse("--max_iterations=9", "--lr=0.1")
    with pytest.raises(MimError, match=r"--lr=0\.1 differs from the run to resume"):
        resumed(TrainingConfig(), values)
    values = parse("--max_iterations=9", "--lr=0.001")
    assert resumed(TrainingConfig(seed=4), values) == TrainingConfig(max_iterations=9, seed=4)


def test_a_height_that_follows_the_width_is_not_another_run():
    values = parse("--img_height=0")
    assert resumed(ModelConfig(img_width=32), values) == ModelConfig(img_width=32)


def test_data_may_have_been_moved_before_a_run_is_resumed(caplog):
    kept = DataConfig(dataset="array", train_data_paths="a.npy", data_seed=5)
    found = resumed(kept, parse("--train_data_paths=b.npy"))
    assert found == dataclasses.replace(kept, train_data_paths="b.npy")
    assert "train_data_paths is b.npy now, and was a.npy" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "is_same"),
    [
        ([], True),
        (["--dataset=array", "--train_data_paths=a.npy"], True),
        (["--dataset=array", "--valid_data_paths=a.npy"], True),
        (["--dataset=array"], True),
        (["--train_data_paths=b.npy"], True),
        (["--dataset=mnist"], False),
    ],
)
def test_settings_are_those_of_the_run_unless_the_data_set_is_another(
    arguments, is_same, in_tmp, caplog
):
    kept = DataConfig(dataset="array", train_data_paths="./a.npy", data_seed=5, valid_fraction=0.3)
    write_record(in_tmp, ModelConfig(), kept, TrainingConfig(), {})
    (in_tmp / "best.weights.h5").touch()
    values = parse(*arguments, "--valid_fraction=0.2")
    with caplog.at_level("INFO", "absl"):
        data = data_config(values, str(in_tmp / "best.weights.h5"))
    assert data.valid_fraction == 0.2
    assert data.data_seed == (5 if is_same else 0)
    assert ("--data_seed=5" in caplog.text) == is_same


@pytest.mark.parametrize(
    ("paths", "found"),
    [("a.npy", "{0}/a.npy"), ("b,c.npy", "{0}/b,c.npy"), ("a.npy, b*", "{0}/a.npy,{0}/b*")]
    + [(same, same) for same in ("", "a.npy,none.npy", "/a.npy")],
)
def test_paths_are_those_seen_from_where_the_run_was_started(paths, found, in_tmp, monkeypatch):
    for name in ("a.npy", "b,c.npy"):
        (in_tmp / name).touch()
    kept = DataConfig("grid", paths)
    write_record(in_tmp, ModelConfig(), kept, TrainingConfig(), {})
    assert read_record(in_tmp)[1] == kept
    monkeypatch.chdir("/")
    assert read_record(in_tmp)[1].train_data_paths == found.format(in_tmp)


@pytest.mark.parametrize(
    ("kept", "arguments", "paths"),
    [
        ({"train_data_paths": "a"}, [], ("a", "")),
        ({"train_data_paths": "a"}, ["--thresholds=25,35"], ("a", "")),
        ({"train_data_paths": "a"}, ["--dataset=radar", "--thresholds=25,35"], ("a", "")),
        ({"train_data_paths": "a"}, ["--valid_data_paths=b"], ("a", "b")),
        ({"train_data_paths": "a"}, ["--train_data_paths=b"], ("b", "")),
        ({"valid_data_paths": "a"}, ["--valid_data_paths=b"], ("", "b")),
        ({"train_data_paths": "a", "valid_data_paths": "b"}, ["--valid_data_paths=c"], ("a", "c")),
        ({"train_data_paths": "a", "valid_data_paths": "b"}, ["--train_data_paths=c"], ("c", "")),
    ],
)
def test_flags_are_put_over_the_record_of_the_run(kept, arguments, paths, tmp_path, caplog):
    stored = DataConfig("radar", dbz_max=60, data_seed=5, **kept)
    write_record(tmp_path, ModelConfig(), stored, TrainingConfig(), {})
    (tmp_path / "best.weights.h5").touch()
    data = data_config(parse(*arguments), str(tmp_path / "best.weights.h5"))
    assert (data.dataset, data.dbz_max, data.data_seed) == ("radar", 60, 5)
    assert (data.train_data_paths, data.valid_data_paths) == paths
    assert data.thresholds == ((25, 35) if "--thresholds=25,35" in arguments else ())
    # The training data is not there, so nothing can be said about copies.
    assert ("check that no sequence" in caplog.text) == (paths[0] == "a" and paths[1] in ("b", "c"))


@pytest.mark.parametrize(
    ("weights", "kept", "arguments", "split"),
    [
        ("moving-mnist", None, ["--valid_data_paths=b"], "all"),
        ("moving-mnist", None, ["--train_data_paths=b"], "test"),
        ("moving-mnist", None, ["--valid_data_paths=b", "--test_fraction=0.3"], "test"),
        ("moving-mnist", None, ["--train_data_paths=a", "--valid_data_paths=b"], "test"),
        ("best.weights.h5", None, ["--valid_data_paths=b"], "test"),
        ("best.weights.h5", DataConfig("folder", "a"), ["--valid_data_paths=b"], "all"),
        (
            "best.weights.h5",
            DataConfig("array", valid_data_paths="a"),
            ["--valid_data_paths=b"],
            "all",
        ),
        ("best.weights.h5", DataConfig("array", "b"), ["--valid_data_paths=b"], "test"),
    ],
)
def test_all_of_a_path_is_tested_on_by_weights_that_learnt_elsewhere(
    weights, kept, arguments, split, in_tmp, caplog
):
    Path("best.weights.h5").touch()
    if kept:
        write_record(in_tmp, ModelConfig(), kept, TrainingConfig(), {})
    values = parse("--dataset=array", *arguments)
    with caplog.at_level("INFO", "absl"):
        assert split_to_score(values, weights, data_config(values, weights)) == split
    is_divided = split == "test" and not any("train" in argument for argument in arguments)
    assert ("only its test split" in caplog.text) == is_divided


@pytest.mark.parametrize(
    ("arguments", "warns"),
    [
        (["--dataset=folder"], True),
        (["--dataset=folder", "--frame_interval=3"], False),
        (["--dataset=array"], False),  # the interval of the run
    ],
)
def test_an_interval_of_the_training_that_is_left_out(arguments, warns, tmp_path, caplog):
    kept = DataConfig("array", "a.npy", frame_interval=2)
    write_record(tmp_path, ModelConfig(), kept, TrainingConfig(), {})
    weights = tmp_path / "best.weights.h5"
    weights.touch()
    with caplog.at_level("WARNING", "absl"):
        data_config(parse(*arguments, "--train_data_paths=a"), str(weights))
    assert ("--frame_interval=2" in caplog.text) == warns


@pytest.mark.parametrize("weights", ["moving-mnist", "a/best.weights.h5"])
def test_data_of_weights_without_a_run_is_that_of_the_flags(weights, in_tmp):
    assert data_config(parse("--data_seed=3"), weights) == DataConfig(data_seed=3)


def test_a_record_that_cannot_be_read_needs_the_data_set(tmp_path, caplog):
    weights = tmp_path / "damaged"
    weights.touch()
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(MimError, match="--dataset"):
        data_config(parse("--data_seed=3"), str(weights))
    data = data_config(parse("--dataset=mnist", "--data_seed=3"), str(weights))
    assert data == DataConfig(data_seed=3)
    assert "run.json" in caplog.text


@pytest.fixture
def frame_shape(monkeypatch):
    """Data whose frames are 48 high, 32 wide and have 3 channels."""
    monkeypatch.setattr("mim_tf.data.dataset.frame_shape", lambda data: (48, 32, 3))


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ([], (48, 32, 3)),
        (["--img_height=64"], (64, 32, 3)),
        (["--img_width=64"], (64, 64, 3)),
        (["--img_channel=1"], (48, 32, 1)),
        (["--img_width=96", "--resize"], (96, 96, 3)),
    ],
)
@pytest.mark.usefixtures("frame_shape")
def test_frames_have_the_size_of_the_data_where_no_flag_says_otherwise(arguments, shape):
    values = parse("--dataset=array", *arguments)
    data = DataConfig(**given(DataConfig, values))
    assert model_config(values, data=data).frame_shape == shape


def test_frames_of_unknown_size_have_that_of_the_flags(monkeypatch):
    monkeypatch.setattr("mim_tf.data.dataset.frame_shape", lambda data: None)
    data = DataConfig("array", "frames.npy")
    assert model_config(parse("--img_width=32"), data=data).frame_shape == (32, 32, 1)
    with pytest.raises(MimError, match="--train_data_paths"):
        model_config(parse("--img_width=32"), data=DataConfig("array"))


def test_a_network_keeps_the_policy_of_its_keras_file(tmp_path, tiny_config):
    path = str(tmp_path / "a.keras")
    mim_tf.VideoPredictor(tiny_config, dtype="mixed_bfloat16").save(path)
    assert load_network(parse(), path).dtype_policy.name == "mixed_bfloat16"
