"""Which weights are the best so far."""

import contextlib
import types

import pytest

import mim_tf
from mim_tf.jobs import train as validation
from mim_tf.jobs.train import Evaluation
from mim_tf.storage.files import read_json


class Model:
    config = mim_tf.ModelConfig()


class Devices:
    @contextlib.contextmanager
    def evaluated(self, model, averaged):
        yield model


@pytest.fixture
def evaluated(tmp_path, monkeypatch):
    """`evaluated(iteration, mse, sha256)` of a run, by a new callback, as after `--resume`."""
    ignored = types.SimpleNamespace(
        add_scalar=lambda *_: None, flush=lambda: None, show_validation=lambda _: None
    )
    for name in ("write_scores", "format_scores", "save_weights"):
        monkeypatch.setattr(validation, name, lambda *_: "")
    config = mim_tf.TrainingConfig(gen_frm_dir=str(tmp_path / "frames"))

    def evaluate(iteration, mse, sha256):
        result = {
            "mean": {"mse": mse},
            "data": {"sha256": sha256},
            "sequences": 1,
            "baselines": {"persistence": {"mean": {"mse": mse}}},
        }
        monkeypatch.setattr(validation, "evaluate", lambda *_: result)
        (tmp_path / "run").mkdir(exist_ok=True)
        source = types.SimpleNamespace(scale=None)
        callback = Evaluation(
            config, iteration, tmp_path / "run", ignored, source, Devices(), ignored
        )
        callback.set_model(Model())
        callback._try(iteration)
        record = tmp_path / "run" / "best.json"
        return read_json(record).get("iteration") if record.exists() else None

    return evaluate


def test_the_best_has_the_smallest_error(evaluated):
    assert [evaluated(n, mse, "a") for n, mse in enumerate((3, 2, 2.5, 1), 1)] == [1, 2, 2, 4]


def test_errors_of_other_sequences_are_not_compared(evaluated, caplog):
    assert [evaluated(1, 2, "a"), evaluated(2, 3, "b"), evaluated(3, 4, "b")] == [1, 2, 2]
    assert caplog.text.count("the best weights start anew") == 1


def test_a_best_that_earlier_versions_wrote_is_kept(evaluated, tmp_path):
    evaluated(1, 2, "a")
    (tmp_path / "run" / "best.json").write_text('{"iteration": 1, "mse": 2}')
    assert evaluated(2, 3, "a") == 1


def test_an_evaluation_without_known_values_has_no_error(evaluated, caplog):
    assert evaluated(1, None, "a") is None
    assert "failed" not in caplog.text
