"""mim analyze."""

import csv
import json

import imageio.v3 as imageio
import numpy as np
import pytest

import mim_tf
from mim_tf.jobs import analyze
from mim_tf.runs.record import write_record


@pytest.fixture(autouse=True)
def _in_an_empty_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_table_and_figure(mim, tmp_path, tiny_model):
    mim_tf.save_weights(tiny_model, tmp_path / "mine.h5")
    arguments = ["--sequences=3", "--batch_size=2", "--low=0.3", "--digits=bundled"]
    printed = mim("analyze", "--pretrained_model=mine.h5", *arguments)
    assert "below 0.3 or above 0.9" in printed
    assert "mim_block_2/mim_s_forget" in printed
    folder = tmp_path / "results" / "analysis-001"
    result = json.loads((folder / "inside.json").read_text())
    assert result["sequences"] == 3
    with (folder / "inside.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["what", "where", "1", "2", "3", "4", "5"]
    norms = {row[1]: [float(x) for x in row[2:]] for row in rows if row[0] == "norm"}
    assert norms["T, layer 2"] == result["norms"]["layer 2"]["T"]
    assert imageio.imread(folder / "inside.png").std() > 0


def test_data_is_divided_as_in_the_run_of_the_weights(mim, tmp_path, tiny_model, monkeypatch):
    mim_tf.save_weights(tiny_model, tmp_path / "best.weights.h5")
    np.save("a.npy", np.random.default_rng(0).random((9, 6, 32, 32), np.float32))
    kept = mim_tf.DataConfig(dataset="array", train_data_paths="a.npy", data_seed=5)
    write_record(tmp_path, tiny_model.config, kept, mim_tf.TrainingConfig(), {})
    looked_at = []
    real = analyze.analyze
    monkeypatch.setattr(
        analyze, "analyze", lambda *given: looked_at.append(given[2]) or real(*given)
    )
    mim("analyze", "--pretrained_model=best.weights.h5")
    assert looked_at == [kept]


def test_an_error_is_one_sentence(error_of):
    status, message = error_of("analyze", "--pretrained_model=nothing.h5")
    assert (status, message.count("\n")) == (1, 1)
    assert message.startswith("error: No weights at nothing.h5")
