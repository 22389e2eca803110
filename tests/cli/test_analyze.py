"""python -m mim_tf.cli.analyze."""

import csv
import json

import imageio.v3 as imageio
import pytest
from absl import flags as absl_flags

import mim_tf
from mim_tf.cli import analyze, flags


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs the program in `tmp_path` and returns what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        values = absl_flags.FlagValues()
        monkeypatch.setattr(flags, "FLAGS", values)
        monkeypatch.setattr(analyze, "FLAGS", values)
        analyze.define_flags(values)
        analyze.main(values(["analyze", "--digits=bundled", *arguments]))
        return capsys.readouterr().out

    return run


def test_table_and_figure(run, tmp_path, tiny_model):
    mim_tf.save_weights(tiny_model, tmp_path / "mine.h5")
    printed = run("--pretrained_model=mine.h5", "--sequences=3", "--batch_size=2", "--low=0.3")
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


def test_errors_are_one_sentence(run):
    with pytest.raises(SystemExit) as exit_info:
        run("--pretrained_model=nothing.h5")
    assert str(exit_info.value.code).startswith("error: No weights at nothing.h5")
