"""The page of a run: what stands in it, and what it refuses."""

import html
import json
import re
import shutil

import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.evaluation.stored import write_scores
from mim_tf.report.write import write_report, write_report_or_warn
from tests.report.conftest import CONTEXT, evaluation


def text_of(path):
    """The words of a page, without tags."""
    page = re.sub(r"<(style|script)>.*?</\1>", "", path.read_text(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_the_page_of_a_run(run):
    path = write_report(run)
    assert path == run / "report.html"
    words, page = text_of(path), path.read_text()
    title = "run-001: report "
    verdict = "The model beats persistence (20) and the mean of the context (30): its MSE is 12.5."
    assert words.startswith(title + verdict)
    assert "mse ↓ 12.5 [10, 15] 20 30" in words
    assert "after 200 iterations" in words
    for title in ("Best: sequence 1 MSE 10", "Median: sequence 5 MSE 14", "Worst: sequence 6 MSE"):
        assert title in words
    assert words.count("sequence 1 MSE") == 1  # the best is one of the first four too
    assert page.count('class="player"') == 6 + 1
    assert "training loss by iteration: loss from 900 to 500." in page
    assert "mse by iteration: the model from 17.5 to 12.5; persistence from 20 to 20" in page
    assert "CSI_30 is nowhere defined" in words
    assert "python run.py --model_name=mim '--dataset=a <b> & c'" in words
    assert "<b>" not in page


def test_asks_nothing_of_anyone(run):
    page = write_report(run).read_text()
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", page)
    assert addresses
    assert all(address.startswith("data:") for address in addresses)
    assert "default-src 'none'" in page


def test_the_page_of_an_evaluation_has_no_curves_of_training(run):
    words = text_of(write_report(run / "scores" / "000100"))
    assert "its MSE is 17.5" in words
    assert "after 100 iterations" in words
    assert "training loss" not in words
    assert "python run.py" in words  # the record of its run


def test_scores_alone_say_what_is_unknown(tmp_path):
    write_scores(tmp_path / "alone", evaluation(), CONTEXT)
    assert "There is no run.json" in text_of(write_report(tmp_path / "alone"))


def test_a_model_that_does_not_beat_them_is_told_so_first(tmp_path):
    write_scores(tmp_path / "bad", evaluation(error=25.0), CONTEXT)
    path = write_report(tmp_path / "bad")
    assert text_of(path).startswith("bad: report The model does NOT beat persistence (20)")
    assert '<h1 class="bad">' in path.read_text()


@pytest.mark.parametrize(
    ("channels", "scale", "words"),
    [
        (3, None, "error \N{MINUS SIGN}0."),
        (1, {"unit": "dBZ", "low": 0.0, "high": 70.0}, "70 dBZ"),
        (2, {"unit": "vehicles", "low": 0.0, "high": 1292.0}, "1292 vehicles"),
    ],
)
def test_color_radar_and_traffic(tmp_path, channels, scale, words):
    write_scores(tmp_path / "a", evaluation(channels=channels, scale=scale), CONTEXT)
    assert words in text_of(write_report(tmp_path / "a"))


def test_large_frames_stay_under_10_mb(tmp_path):
    write_scores(tmp_path / "large", evaluation(channels=3, size=400), CONTEXT)
    assert write_report(tmp_path / "large").stat().st_size < 10_000_000


def test_replaces_its_own_page_and_nothing_else(run, tmp_path):
    output = tmp_path / "there" / "page.html"
    write_report(run, output)
    before = output.stat().st_ino
    write_report(run, output)
    assert output.stat().st_ino != before
    output.write_text("mine")
    with pytest.raises(MimError, match=r"page\.html exists and is no report of mim"):
        write_report(run, output)
    assert output.read_text() == "mine"


def damage_scores(run):
    (run / "scores" / "000200" / "scores.json").write_text("{")


def drop_a_baseline_score(run):
    path = run / "scores" / "000200" / "scores.json"
    scores = json.loads(path.read_text())
    del scores["baselines"]["persistence"]["per_frame"]["mse"]
    path.write_text(json.dumps(scores))


def list_as_model(run):
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"model": [1]}))


def cut_samples(run):
    path = run / "scores" / "000200" / "samples.npz"
    path.write_bytes(path.read_bytes()[:1000])


def samples_of_another_shape(run):
    path = run / "scores" / "000200" / "samples.npz"
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, "forecast": arrays["forecast"][:2]})


def missing_of_another_shape(run):
    path = run / "scores" / "000200" / "samples.npz"
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, "missing": np.zeros(3, bool)})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda run: shutil.rmtree(run / "scores"), "holds no scores"),
        (lambda run: shutil.rmtree(run), "is no folder"),
        (damage_scores, r"scores\.json is damaged"),
        (drop_a_baseline_score, r"scores\.json is damaged"),
        (cut_samples, r"samples\.npz: .* cannot be read as one"),
        (samples_of_another_shape, r"samples\.npz is damaged"),
        (missing_of_another_shape, r"samples\.npz is damaged: missing does not fit"),
        (
            lambda run: (run / "scores/000200/samples.npz").unlink(),
            r"samples\.npz: .* no such file",
        ),
        (lambda run: (run / "train.csv").write_text("x\n1\n"), r"train\.csv is damaged"),
        (lambda run: (run / "run.json").write_text("[]"), r"run\.json is damaged"),
        (list_as_model, r"run\.json is damaged"),
    ],
)
def test_one_sentence_for_what_is_missing_or_damaged(run, damage, words):
    damage(run)
    with pytest.raises(MimError, match=words):
        write_report(run)
    assert not (run / "report.html").exists()


def test_after_a_training_it_is_only_a_warning(run, caplog):
    cut_samples(run)
    with caplog.at_level("WARNING"):
        write_report_or_warn(run)
    (record,) = caplog.records
    assert "The report could not be written" in record.getMessage()
    assert f"`mim report {run}` tries again" in record.getMessage()


def test_spectra_are_shown_at_the_first_the_middle_and_the_last_lead_time(tmp_path):
    result = evaluation()
    assert "Power spectra" not in text_of(_written(tmp_path / "without", result))
    spectrum = {"truth": [[9.0, 1.0]] * 4, "prediction": [[9.0, 0.5 / (t + 1)] for t in range(4)]}
    result["spectra"] = {"wavelength": [16.0, 4.0], **spectrum}
    path = _written(tmp_path / "with", result)
    assert "Power spectra" in text_of(path)
    for number, last in ((1, "0.5"), (2, "0.25"), (4, "0.125")):
        assert (
            f"lead time {number} by wavelength in pixels: the model from 9 to {last}; "
            "the truth from 9 to 1." in path.read_text()
        )
    assert "lead time 3 by wavelength" not in path.read_text()


def _written(folder, result):
    write_scores(folder, result, CONTEXT)
    return write_report(folder)
