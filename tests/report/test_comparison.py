"""The page of a comparison: what stands in it, and what it refuses."""

import json
import os
import re
import shutil

import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.evaluation.stored import write_scores
from mim_tf.report.write import write_comparison
from tests.report.conftest import CONTEXT, HORIZON, evaluation, make_run
from tests.report.test_write import text_of


@pytest.fixture
def written(tmp_path):
    """Makes the page of folders."""

    def write(folders, **arguments):
        write_comparison(folders, tmp_path / "page.html", **{"score": "mse", **arguments})
        return tmp_path / "page.html"

    return write


def test_the_first_line_says_which_is_better_and_whether_the_interval_excludes_0(runs, written):
    page = written(runs)
    words = text_of(page)
    title = "mim, convlstm: comparison "
    verdict = "convlstm is better than mim in mse by 2 [2, 2], and the interval excludes 0. "
    assert words.startswith(
        f"{title}{verdict}convlstm beats persistence (20) and the mean of the context (30): its "
        "MSE is 10.5. 6 sequences of made up, 3 frames of context, 4 predicted, protocol mim2019"
    )
    assert '<h1 class="good">' in page.read_text()


def test_scores_differences_curves_and_settings(runs, written):
    page = written(runs)
    words, text = text_of(page), page.read_text()
    assert "mse ↓ 12.5 [10, 15] 10.5 [8, 13] 20 30" in words
    assert text.count('<td class="best">') == 1 + 2  # of mse; of ssim, where both are equal
    assert "mse convlstm - mim -2 [-2, -2] convlstm yes" in words
    assert "ssim convlstm - mim 0 [0, 0] - no" in words
    curve = "mse by lead time in frames: mim from 12.5 to 15.5; convlstm from 10.5 to 13.5; "
    assert curve + "persistence from 20 to 23" in text
    assert "model_name mim convlstm_net" in words
    assert "save_dir" not in words


def test_what_each_took_and_how_it_was_made(runs, written):
    words = text_of(written(runs))
    assert "mim mim 200 400 1:02:05 1:40:00 convlstm convlstm_net 200 400" in words
    assert "python run.py --model_name=convlstm_net '--dataset=a <b> & c'" in words


def test_an_evaluation_of_weights_is_followed_to_their_run(runs, tmp_path, written):
    for number, name in ((0, "best.weights.h5"), (1, "mim-000100-ema.weights.h5")):
        weights = runs[number] / name
        weights.write_bytes(b"")
        write_scores(tmp_path / f"test-{number}", evaluation(error=9.0 + number), CONTEXT)
        record = json.loads((runs[number] / "run.json").read_text())
        record |= {"command": ["mim"], "sources": {"test": {"pretrained_model": str(weights)}}}
        (tmp_path / f"test-{number}" / "run.json").write_text(json.dumps(record))
    folders = [tmp_path / "test-0", tmp_path / "test-1"]
    words = text_of(written(folders))
    assert "test-0 mim 200 400 1:02:05" in words
    assert "test-1 convlstm_net 100 200 0:30:00" in words

    os.utime(runs[0] / "best.weights.h5", (2e9, 2e9))  # other weights than those evaluated
    (tmp_path / "page.html").unlink()
    words = text_of(written(folders))
    assert "test-0 - - - - -" in words
    assert "How test-0 was trained is not recorded." in words


def test_players_show_the_runs_side_by_side(runs, written):
    page = written(runs).read_text()
    assert page.count('class="player"') == 6  # 1 to 4, 5 and 6 are best and worst of both
    panes = re.findall(r"<span>((?:truth|mim|convlstm|error)[^<]*)</span>", page)
    assert panes[:5] == ["truth", "mim", "convlstm", "error of mim", "error of convlstm"]
    assert page.count('<img class="strip"') == 1


def test_without_pictures_of_one_there_are_none(runs, written):
    (runs[1] / "scores" / "000200" / "samples.npz").unlink()
    words = text_of(written(runs))
    assert "There are no pictures of a sequence that all of them kept." in words


def test_names_and_the_best_of_three(runs, tmp_path, written):
    third = make_run(tmp_path / "predrnn" / "run-001", "predrnn", error=9.0)
    words = text_of(written([*runs, third], names=["MIM", "ConvLSTM", "<PredRNN>"]))
    assert "ConvLSTM is the best of 3 in mse, and every interval excludes 0." in words
    assert (
        "ConvLSTM is better than <PredRNN> in mse by 1 [1, 1], and the interval excludes 0."
        in words
    )


def test_asks_nothing_of_anyone(runs, written):
    page = written(runs).read_text()
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", page)
    assert addresses
    assert all(address.startswith("data:") for address in addresses)


def other_data(run):
    path = run / "scores" / "000200" / "scores.json"
    scores = json.loads(path.read_text())
    scores["data"]["sha256"] = "1" * 64
    path.write_text(json.dumps(scores))


def cut_samples(run):
    path = run / "scores" / "000200" / "samples.npz"
    path.write_bytes(path.read_bytes()[:1000])


def other_samples(run):
    path = run / "scores" / "000200" / "samples.npz"
    with np.load(path) as arrays:
        arrays = dict(arrays)
    arrays["forecast"] = arrays["forecast"][:, : HORIZON - 1]
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda run: shutil.rmtree(run / "scores"), "holds no scores"),
        (other_data, "SHA-256 11111111"),
        (lambda run: (run / "scores/000200/scores.json").write_text("{"), r"scores\.json is dam"),
        (lambda run: (run / "scores/000200/per_sequence.csv").write_text("1\n"), "per_sequence"),
        (cut_samples, r"samples\.npz: expected a \.npz file .* cannot be read as one"),
        (other_samples, r"samples\.npz is damaged"),
        (lambda run: (run / "train.csv").write_text("x\n1\n"), r"train\.csv is damaged"),
        (lambda run: (run / "run.json").write_text("[]"), r"run\.json is damaged"),
    ],
)
def test_one_sentence_for_what_is_missing_or_damaged(runs, tmp_path, written, damage, words):
    damage(runs[1])
    with pytest.raises(MimError, match=words):
        written(runs)
    assert not (tmp_path / "page.html").exists()


def test_an_existing_file_stays_and_too_many_runs_are_refused(runs, tmp_path, written):
    with pytest.raises(MimError, match="6 runs at most"):
        written([f"run-{number}" for number in range(7)])
    with pytest.raises(MimError, match="--score"):
        written(runs, score="sharpness")
    with pytest.raises(MimError, match=r"must end in \.html, received .*page\.pdf"):
        write_comparison(runs, tmp_path / "page.pdf", "mse")
    (tmp_path / "page.html").write_text("mine")
    with pytest.raises(MimError, match="exists already"):
        written(runs)
    assert (tmp_path / "page.html").read_text() == "mine"
