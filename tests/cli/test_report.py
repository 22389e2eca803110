from mim_tf.evaluation.stored import write_scores
from tests.report.conftest import CONTEXT, evaluation


def test_says_where_the_page_is(mim, tmp_path):
    write_scores(tmp_path / "a", evaluation(), CONTEXT)
    assert mim("report", tmp_path / "a") == f"The report is {tmp_path / 'a' / 'report.html'}.\n"
    mim("report", tmp_path / "a", f"--output={tmp_path / 'b.html'}")
    assert (tmp_path / "b.html").is_file()


def test_a_folder_without_scores(error_of, tmp_path):
    status, words = error_of("report", tmp_path)
    assert (status, "holds no scores" in words) == (1, True)


def test_a_film_strip(mim, tmp_path):
    write_scores(tmp_path / "a", evaluation(), CONTEXT)
    output = tmp_path / "strip.pdf"
    printed = mim("filmstrip", tmp_path / "a", f"--output={output}", "--sequence=worst")
    assert printed == f"The film strip is {output}.\n"
    assert output.is_file()
