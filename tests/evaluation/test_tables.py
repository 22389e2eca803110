from html.parser import HTMLParser

import pytest

from mim_tf.errors import MimError
from mim_tf.evaluation.compare import Comparison, Difference, format_comparison
from mim_tf.evaluation.stored import Evaluation


@pytest.fixture
def comparison():
    def evaluation(name, mse, interval):
        scores = {
            "mean": {"mse": mse, "ssim_uint8": None},
            "intervals": {"mse": interval, "ssim_uint8": None},
            "baselines": {"persistence": {"mean": {"mse": 99.5, "ssim_uint8": None}}},
        }
        return Evaluation(name, scores, {})

    return Comparison(
        [evaluation("a_1", 20.125, [18.5, 22.0]), evaluation("<b|&>", 19.0, None)],
        [Difference("a_1", "<b|&>", "mse", -1.125, [-2.0, -0.25], "<b|&>", True)],
    )


def test_markdown(comparison):
    assert format_comparison(comparison).splitlines() == [
        r"| score | a_1 | <b\|&> | persistence |",
        "| --- | ---: | ---: | ---: |",
        "| mse (lower is better) | 20.12 [18.5, 22] | 19 | 99.5 |",
        "| ssim_uint8 (higher is better) | - | - | - |",
        "",
        "| score | difference | mean [95 %] | better | excludes 0 |",
        "| --- | ---: | ---: | ---: | ---: |",
        r"| mse | <b\|&> - a_1 | -1.125 [-2, -0.25] | <b\|&> | yes |",
    ]


def test_latex_is_escaped(comparison):
    lines = format_comparison(comparison, "latex").splitlines()
    assert lines[0] == r"\begin{tabular}{lrrr}"
    assert lines[2] == r"score & a\_1 & <b|\&> & persistence \\"
    assert lines[4] == r"mse (lower is better) & 20.12 [18.5, 22] & 19 & 99.5 \\"
    assert lines[-1] == r"\end{tabular}"
    assert r"mean [95 \%]" in format_comparison(comparison, "latex")


def test_html_holds_the_cells_and_is_escaped(comparison):
    text = format_comparison(comparison, "html")
    cells = []
    parser = HTMLParser()
    parser.handle_data = lambda data: cells.append(data.strip())
    parser.feed(text)
    assert "<b|&>" in cells
    assert "20.12 [18.5, 22]" in cells
    assert text.count("<table>") == text.count("</table>") == 2


def test_another_format_is_refused(comparison):
    with pytest.raises(MimError, match="md, latex, html, received 'pdf'"):
        format_comparison(comparison, "pdf")
