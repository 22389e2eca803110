"""Evaluation of a weights file, with all that it writes."""

import numpy as np
import pytest

import mim_tf
from mim_tf.config import DataConfig, TrainingConfig
from mim_tf.evaluation.stored import read_evaluation
from mim_tf.jobs.evaluate import check_step, evaluate_weights, identity
from mim_tf.weights import save_weights


@pytest.fixture
def paths(tmp_path, tiny_model, tiny_frames):
    save_weights(tiny_model, tmp_path / "a.weights.h5")
    np.save(tmp_path / "train.npy", tiny_frames[:1])
    np.save(tmp_path / "test.npy", tiny_frames)
    return tmp_path / "a.weights.h5", tmp_path / "test.npy"


def test_an_evaluation_can_be_read_back(paths, tmp_path, tiny_config, tiny_model, tiny_frames):
    weights, frames = map(str, paths)
    training = TrainingConfig(
        batch_size=4, max_test_sequences=0, num_save_samples=1, gen_frm_dir=str(tmp_path / "out")
    )
    data = DataConfig(train_data_paths=str(tmp_path / "train.npy"), valid_data_paths=frames)
    text, folder = evaluate_weights(tiny_config, data, training, weights, "openstl")
    assert text.splitlines()[-1].startswith("The model ")
    assert folder == tmp_path / "out" / "test-001"
    assert {path.name for path in folder.iterdir()} == {
        "1",
        "report.html",
        "run.json",
        "scores.json",
        "scores.csv",
        "per_sequence.csv",
        "resamples.npz",
        "samples.npz",
    }
    evaluation = read_evaluation(folder)
    assert evaluation.scores["protocol"] == "openstl"
    assert evaluation.scores["data"]["source"] == "array"
    forecast = mim_tf.predict(tiny_model, tiny_frames[:, :3], 3)
    errors = np.square(forecast - tiny_frames[:, 3:]).sum(axis=(2, 3, 4)).mean(axis=1)
    np.testing.assert_allclose(evaluation.per_sequence["mse"], errors, rtol=1e-4)
    assert evaluation.scores["mean"]["mse"] == pytest.approx(errors.mean(), rel=1e-4)
    with np.load(folder / "samples.npz") as samples:
        assert samples["truth"].shape == (7, 6, 32, 32, 1)
        assert samples["forecast"].shape == (7, 3, 32, 32, 1)
        assert samples["error_map"].shape == (3, 32, 32)


@pytest.mark.parametrize(
    ("expected", "size", "sentence"),
    [
        ("abc", 64, "These are the 64 sequences of --test_sha256."),
        ("def", 100, "Scored were 64 of 100 sequences"),
        (
            "def",
            64,
            "These are NOT the sequences of --test_sha256, which is def: theirs is abc. "
            "The digits are: bundled.",
        ),
    ],
)
def test_whether_the_sequences_are_those_that_were_meant(expected, size, sentence):
    result = {"sequences": 64, "data": {"sha256": "abc", "digits_origin": "bundled"}}
    assert identity(result, size, expected).startswith(sentence)


def test_frames_at_another_distance_than_in_training(caplog):
    for learnt, found in (("", "1 hour"), ("3 hours", ""), ("3 hours", "3 hours")):
        check_step(learnt, found)
    assert not caplog.text
    check_step("3 hours", "1 hour")
    assert "trained on frames 3 hours apart, these are 1 hour apart" in caplog.text
