import numpy as np
import pytest

from mim_tf.evaluation.stored import write_scores


@pytest.fixture
def runs(tmp_path):
    """Two evaluations of four sequences, the second with half of the error."""
    folders = []
    for name, factor in (("a", 1), ("b", 0.5)):
        mse = factor * np.array([10.0, 12.0, 9.0, 11.0])
        mean = float(mse.mean())
        scores = {
            "sequences": 4,
            "mean": {"mse": mean},
            "per_frame": {"mse": [mean, mean]},
            "intervals": {"mse": [mean - 1, mean + 1]},
            "protocol": "mim2019",
            "input_length": 3,
            "data": {"sha256": "0" * 64},
            "per_sequence": {"mse": mse},
        }
        write_scores(tmp_path / name, scores, 3)
        folders.append(tmp_path / name)
    return folders


def test_says_which_is_better_and_whether_the_interval_excludes_0(mim, runs):
    printed = mim("compare", *runs)
    assert "| mse (lower is better) | 10.5 [9.5, 11.5] | 5.25 [4.25, 6.25] |" in printed
    assert "b is better than a in mse by 5.25 [" in printed
    assert "and the interval excludes 0." in printed


@pytest.mark.parametrize(("form", "words"), [("latex", "tabular"), ("html", "<table")])
def test_forms_to_copy(mim, runs, form, words):
    assert words in mim("compare", *runs, f"--format={form}")


def test_a_page(mim, error_of, runs, tmp_path):
    output = tmp_path / "page.html"
    printed = mim("compare", *runs, f"--output={output}", "--names=MIM,ConvLSTM")
    assert printed.startswith("ConvLSTM is better than MIM in mse by 5.25 [")
    assert printed.endswith(f"and the interval excludes 0.\nThe page is {output}.\n")
    assert "ConvLSTM is better than MIM" in output.read_text()
    status, words = error_of("compare", *runs, f"--output={output}")
    assert (status, "exists already" in words) == (1, True)


def test_one_run_alone_is_a_wrong_command_line(error_of, runs):
    status, words = error_of("compare", runs[0])
    assert status == 2
    assert "Expected RUN RUN...; received" in words


def test_a_score_they_do_not_have(error_of, runs):
    status, words = error_of("compare", *runs, "--score=csi")
    assert status == 1
    assert "--score" in words


def test_a_folder_without_scores(error_of, runs, tmp_path):
    (tmp_path / "empty").mkdir()
    status, words = error_of("compare", runs[0], tmp_path / "empty")
    assert (status, "holds no scores" in words) == (1, True)
