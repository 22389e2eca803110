"""Pages: what a reader finds in them, and what is rejected."""

import json
import os
import re
import shutil

import numpy as np
import pytest

from mim_tf.data.files.arrays import ArraySource
from mim_tf.errors import MimError
from mim_tf.evaluation.stored import write_scores
from mim_tf.inspection.survey import survey
from mim_tf.report import data_page
from mim_tf.report.data_page import write_data_page
from mim_tf.report.pages import command_line, write_comparison, write_report, write_report_or_warn
from mim_tf.values.scale import LinearScale
from tests.report.conftest import CONTEXT, DBZ, decoded, evaluation, text_of
from tests.small_sources import Gappy


def reported(folder, result):
    write_scores(folder, result, CONTEXT)
    return write_report(folder)


def check_that_nothing_is_loaded(page):
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", page)
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "default-src 'none'" in page


def test_report_of_a_run(run):
    path = write_report(run)
    assert path == run / "report.html"
    words, page = text_of(path), path.read_text()
    verdict = "The model beats persistence (20) and the mean of the context (30): its MSE is 12.5."
    assert words.startswith(f"run-001: report {verdict} run-001: mim after 200 iterations")
    assert "MSE ↓ 12.50 [10.00, 15.00] 20.00 30.00" in words
    assert "Threshold 30 score The model Persistence Mean of the context CSI ↑ - - -" in words
    # The best is bold; of ssim, which is equal, all are.
    assert re.findall(r"<td[^>]*><span><b>([\d.]+)", page)[:4] == ["12.50"] + ["0.5000"] * 3
    assert "MSE ↓, lead time The model Persistence Mean of the context 1 12.50 20.00 30.00" in words
    assert "validation split, on which the weights were chosen." in words
    for title in ("Best: sequence 1 MSE 10", "Median: sequence 5 MSE 14", "Worst: sequence 6 MSE"):
        assert title in words
    assert words.count("sequence 1 MSE") == 1  # the best is one of the first four too
    assert page.count('class="player"') == 6 + 1
    assert "training loss by iteration: loss from 900 to 500." in page
    assert "MSE by iteration: The model from 17.5 to 12.5; Persistence from 20 to 20" in page
    assert "CSI (30) is nowhere defined" in words
    panes = re.findall(r"<span>(truth|forecast|error)</span>", page)
    assert panes[:3] == ["truth", "forecast", "error"]
    assert "python run.py --model_name=mim '--dataset=a <b> & c'" in words
    assert "<b> & c" not in page
    assert "Power spectra" not in words
    check_that_nothing_is_loaded(page)
    before = path.stat().st_ino
    write_report(run)
    assert path.stat().st_ino != before
    path.write_text("mine")
    with pytest.raises(MimError, match=r"report\.html"):
        write_report(run)
    assert path.read_text() == "mine"


def test_report_of_scores_alone_that_do_not_beat_baselines(run, tmp_path):
    path = reported(tmp_path / "bad", evaluation(error=25.0))
    assert text_of(path).startswith("bad: report The model does NOT beat persistence (20)")
    assert '<h1 class="bad">' in path.read_text()
    assert "There is no run.json" in text_of(path)
    words = text_of(write_report(run / "scores" / "000100"))  # one evaluation of a run
    assert "its MSE is 17.5" in words
    assert "after 100 iterations" in words
    assert "training loss" not in words
    assert "python run.py" in words  # from the record of its run


@pytest.mark.parametrize(
    ("channels", "size", "scale", "words"),
    [
        (3, 128, None, "error \N{MINUS SIGN}0."),
        (1, 16, DBZ, "70 dBZ"),
        (2, 16, {"unit": "vehicles", "low": 0.0, "high": 1292.0}, "1292 vehicles"),
        (2, 16, {"unit": "vehicles", "low": 0.0, "high": 1292.0}, "first channel shown"),
    ],
)
def test_report_of_color_radar_and_traffic(tmp_path, channels, size, scale, words):
    path = reported(tmp_path / "a", evaluation(channels=channels, scale=scale, size=size))
    assert words in text_of(path)
    assert path.stat().st_size < 8_000_000


def test_spectra_are_shown_at_the_first_the_middle_and_the_last_lead_time(tmp_path):
    result = evaluation()
    spectrum = {"truth": [[9.0, 1.0]] * 4, "prediction": [[9.0, 0.5 / (t + 1)] for t in range(4)]}
    result["spectra"] = {"wavelength": [16.0, 4.0], **spectrum}
    page = reported(tmp_path / "with", result).read_text()
    summaries = re.findall(r"lead time (\d) by .*: The model from 9 to ([\d.]+); The truth", page)
    assert summaries == [("1", "0.5"), ("2", "0.25"), ("4", "0.125")]


def compared(folders, path, score="mse"):
    write_comparison(folders, path, score)
    return path


def test_comparison(runs, tmp_path):
    path = compared(runs, tmp_path / "page.html")
    words, page = text_of(path).replace("\N{MINUS SIGN}", "-"), path.read_text()
    assert words.startswith(
        "MIM, ConvLSTM: comparison ConvLSTM is better than MIM in MSE by 2 [2, 2], and the "
        "interval excludes 0. ConvLSTM beats persistence (20) and the mean of the context (30): "
        "its MSE is 10.5. made up, 3 frames of context, 4 predicted, protocol mim2019. 6 sequences"
    )
    assert '<h1 class="good">' in page
    assert "MSE ↓ 12.50 [10.00, 15.00] 10.50 [8.00, 13.00] 20.00 30.00" in words
    assert "MSE ConvLSTM - MIM -2.00 [-2.00, -2.00] ConvLSTM yes" in words
    assert "SSIM ConvLSTM - MIM 0 [0, 0] - -" in words
    curve = "MSE by lead time in frames: MIM from 12.5 to 15.5; ConvLSTM from 10.5 to 13.5; "
    assert curve + "Persistence from 20 to 23" in page
    assert "model_name mim convlstm_net" in words
    assert "save_dir" not in words
    assert "MIM mim 200 400 1:02:05 1:40:00 ConvLSTM convlstm_net 200 400" in words
    assert "python run.py --model_name=convlstm_net '--dataset=a <b> & c'" in words
    assert page.count('class="player"') == 6  # 1 to 4; 5 and 6 are best and worst of both
    panes = re.findall(
        r"<span>((?:truth|MIM|ConvLSTM|error)[^<]*)</span>", page[page.index("<figure") :]
    )
    assert panes[:5] == ["truth", "MIM", "ConvLSTM", "error of MIM", "error of ConvLSTM"]
    assert page.count('<img class="strip"') == 1
    check_that_nothing_is_loaded(page)


@pytest.mark.slow
def test_comparison_finds_the_run_of_evaluated_weights(runs, tmp_path):
    for number, name in ((0, "best.weights.h5"), (1, "mim-000100-ema.weights.h5")):
        weights = runs[number] / name
        weights.write_bytes(b"")
        write_scores(tmp_path / f"test-{number}", evaluation(error=9.0 + number), CONTEXT)
        record = json.loads((runs[number] / "run.json").read_text())
        record |= {"command": ["mim"], "sources": {"test": {"pretrained_model": str(weights)}}}
        (tmp_path / f"test-{number}" / "run.json").write_text(json.dumps(record))
    folders = [tmp_path / "test-0", tmp_path / "test-1"]
    words = text_of(compared(folders, tmp_path / "page.html"))
    assert "MIM mim 200 400 1:02:05" in words
    assert "ConvLSTM convlstm_net 100 200 0:30:00" in words

    os.utime(runs[0] / "best.weights.h5", (2e9, 2e9))  # other weights than those evaluated
    words = text_of(compared(folders, tmp_path / "other.html"))
    assert "test-0 - - - - -" in words
    assert "How test-0 was trained is not recorded." in words


def test_comparison_without_pictures_of_one_run(runs, tmp_path):
    (runs[1] / "scores" / "000200" / "samples.npz").unlink()
    words = text_of(compared(runs, tmp_path / "page.html"))
    assert "There are no pictures of a sequence" in words


def in_evaluation(name, change):
    """Return a damage of a file of the best evaluation."""
    return lambda run: change(run / "scores" / "000200" / name)


def samples_with(change):
    def damage(path):
        with np.load(path) as arrays:
            arrays = dict(arrays)
        np.savez(path, **arrays | change(arrays))

    return in_evaluation("samples.npz", damage)


def json_with(name, change):
    def damage(run):
        path = run / name
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return damage


def csv_with(name, old, new):
    return lambda run: (run / name).write_text((run / name).read_text().replace(old, new))


SCORES = "scores/000200/scores.json"
HUGE = 1e308  # a number of JSON and CSV, whose sums overflow
cut_samples = in_evaluation("samples.npz", lambda path: os.truncate(path, 1000))
DAMAGES = [  # tests/evaluation/test_stored.py has more of scores.json and per_sequence.csv
    (shutil.rmtree, "run-001"),
    (lambda run: shutil.rmtree(run / "scores"), "scores"),
    (cut_samples, "samples.npz"),
    (in_evaluation("samples.npz", os.unlink), "samples.npz"),
    (samples_with(lambda arrays: {"forecast": arrays["forecast"][:, 1:]}), "samples.npz"),
    (samples_with(lambda arrays: {"missing": np.zeros(3, bool)}), "samples.npz"),
    (lambda run: (run / "train.csv").write_text("x\n1\n"), "train.csv"),
    (lambda run: (run / "train.csv").write_text("iteration,loss\n1\n"), "train.csv"),
    (lambda run: (run / "run.json").write_text("[]"), "run.json"),
    (json_with("run.json", lambda record: record.update(model=[1])), "run.json"),
    (samples_with(lambda arrays: {"truth": np.float32(arrays["truth"])}), "samples.npz"),
    (samples_with(lambda arrays: {"truth": arrays["truth"][:, 1:]}), "samples.npz"),
    (samples_with(lambda arrays: {name: arrays[name][:0] for name in arrays}), "samples.npz"),
    (samples_with(lambda arrays: {"index": arrays["index"] + 100}), "samples.npz"),
    (samples_with(lambda arrays: {"index": arrays["index"] + 0.5}), "samples.npz"),
    (samples_with(lambda arrays: {"kind": np.full(7, "other")}), "samples.npz"),
    (samples_with(lambda arrays: {"error_map": arrays["error_map"] - 2}), "samples.npz"),
    (json_with(SCORES, lambda s: s.update(sequences="6")), "scores.json"),
    (json_with(SCORES, lambda s: s.update(sequences=True)), "scores.json"),
    (json_with(SCORES, lambda s: s["mean"].update(mse=HUGE)), "scores.json"),
    (json_with(SCORES, lambda s: s.pop("baselines")), "scores.json"),
    (json_with(SCORES, lambda s: s.update(baselines=[])), "scores.json"),
    (json_with(SCORES, lambda s: s["baselines"]["persistence"].update(intervals=3)), "scores.json"),
    (json_with(SCORES, lambda s: s.update(protocol=None)), "scores.json"),
    (json_with(SCORES, lambda s: s["data"].update(scale={"unit": "K"})), "scores.json"),
    (json_with(SCORES, lambda s: s["data"].update(scale=DBZ | {"high": "70"})), "scores.json"),
    (json_with(SCORES, lambda s: s["data"].update(scale=DBZ | {"low": []})), "scores.json"),
    (json_with(SCORES, lambda s: s.update(spectra={"wavelength": [1], "truth": []})), "scores"),
    (csv_with("scores/000200/per_sequence.csv", "10.0", "1e308"), "per_sequence.csv"),
    (csv_with("train.csv", "2700", "nan"), "train.csv"),
    (csv_with("train.csv", "3725.4", "1e300"), "train.csv"),
    (json_with("run.json", lambda record: record.update(command=[])), "run.json"),
    (json_with("run.json", lambda record: record.update(command=[1])), "run.json"),
    (json_with("run.json", lambda record: record.update(model={})), "run.json"),
    (json_with("run.json", lambda record: record.update(sources={"test": 3})), "run.json"),
]


@pytest.mark.parametrize(("damage", "file"), DAMAGES)
def test_report_rejects_what_is_missing_or_corrupted(run, damage, file):
    damage(run)
    with pytest.raises(MimError, match=file):
        write_report(run)
    assert not (run / "report.html").exists()


def test_a_page_without_the_evaluation_that_is_corrupted(run, caplog):
    (run / "scores" / "000100" / "scores.json").write_text("{}")
    assert "17.5 to 12.5" not in write_report(run).read_text()
    assert "000100" in caplog.text


def test_text_that_cannot_be_encoded_is_escaped(run, tmp_path):
    json_with("run.json", lambda record: record.update(started="\ud800"))(run)
    assert r"Started \ud800" in text_of(write_report(run))


@pytest.mark.parametrize(
    ("damage", "file"),
    [DAMAGES[0], (json_with(SCORES, lambda s: s["data"].update(sha256="1" * 64)), "convlstm")],
)
def test_comparison_rejects_what_is_missing_or_corrupted(runs, tmp_path, damage, file):
    damage(runs[1])
    with pytest.raises(MimError, match=file):
        compared(runs, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_report_after_training_fails_with_a_warning_only(run, caplog):
    cut_samples(run)
    with caplog.at_level("WARNING"):
        write_report_or_warn(run)
    (record,) = caplog.records
    assert f"`mim report {run}` tries again" in record.getMessage()


def test_comparison_rejects_wrong_arguments(runs, tmp_path):
    many = [tmp_path / f"test-{number}" for number in range(7)]
    for folder in many:
        write_scores(folder, evaluation(), CONTEXT)
    (tmp_path / "there.html").write_text("mine")
    for folders, name, score, named in (
        (runs[:1], "page.html", "mse", "mim report RUN"),
        (many, "page.html", "mse", "--output"),  # a table has no limit
        (runs, "page.html", "sharpness", "--score"),
        (runs, "page.pdf", "mse", "--output"),
        (runs, "there.html", "mse", r"there\.html"),
    ):
        with pytest.raises(MimError, match=named):
            compared(folders, tmp_path / name, score)
    assert (tmp_path / "there.html").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        (["/usr/bin/mim", "train", "--lr=1"], "mim train --lr=1"),
        (["run.py", "--thresholds=30, 40"], "python run.py '--thresholds=30, 40'"),
        (["/a/mim_tf/__main__.py", "evaluate"], "python -m mim_tf evaluate"),
        (["-c"], "-c"),
    ],
)
def test_command_as_a_user_types_it(arguments, typed):
    assert command_line(arguments) == typed


def storms(channels):
    """Radar fields in which a value is missing."""
    frames = np.random.default_rng(0).uniform(0.2, 0.9, (9, 5, 8, 8, channels))
    frames[:, :, 0, 0] = 0
    source = Gappy(frames)
    source.scale = LinearScale(**DBZ)
    return source


def page_of(path, source):
    write_data_page(path, "storms", "array", {"all": source}, {"all": survey(source, 10)})
    return path


def test_data_page(tmp_path):
    path = page_of(tmp_path / "page.html", storms(1))
    words, page = text_of(path), path.read_text()
    assert words.startswith("storms: data storms Read as --dataset=array.")
    assert "All: 9 sequences of 5 frames, 8 x 8 x 1" in words
    assert "every value was read and is in [0, 1] or missing" in words
    assert "missing values 1.56%" in words
    titles = re.findall(r"<figcaption>(Sequence \d+)", page)
    assert titles == [f"Sequence {number}" for number in (1, 2, 3, 4, 5, 9)]
    assert "values most often near" in page
    assert "dBZ" in words


@pytest.mark.parametrize(
    ("channels", "scale", "label"),
    [(3, None, "value"), (2, LinearScale("vehicles", 0, 1200), "vehicles")],
)
def test_channels_of_one_range_have_one_axis(channels, scale, label):
    source = ArraySource(np.full((2, 3, 8, 8, channels), 0.5, np.float32))
    source.scale = scale
    chart = data_page._histogram(source, survey(source, 10)["histogram"])
    assert f">{label}<" in chart.svg


def test_nothing_is_good_that_was_compared_with_nothing(tmp_path):
    path = reported(tmp_path / "a", evaluation() | {"baselines": {}})
    assert '<h1 class="good">' not in path.read_text()


def test_data_page_shows_missing_values_in_grey_and_channels_side_by_side():
    player, *_ = data_page.players(storms(2), 9, 10**7)
    assert [pane.title for pane in player.panes] == ["channel 1", "channel 2"]
    for pane in player.panes:
        shown = decoded(pane)
        assert (shown[:, 0, 0] == 128).all()
        assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 20
