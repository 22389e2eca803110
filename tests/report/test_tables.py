"""Tables of methods: which cells they have, and how each format writes them."""

import html

import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.evaluation.compare import Comparison
from mim_tf.evaluation.errors import listed_titles, score_title, threshold_of
from mim_tf.evaluation.stored import Evaluation
from mim_tf.report.tables import (
    decimals,
    difference_table,
    format_tables,
    lead_time_table,
    score_tables,
)

MINUS = "\N{MINUS SIGN}"


def evaluation(name, mse, ends, acc, csi=None):
    scores = {
        "mean": {"mse": mse, "ACC_t": acc, "CSI_30": csi},
        "intervals": {"mse": ends, "ACC_t": None, "CSI_30": None},
        "per_frame": {"mse": [mse - 1, mse + 100], "ACC_t": [acc, acc], "CSI_30": [csi, csi]},
        "baselines": {
            "persistence": {
                "mean": {"mse": 99.5, "ACC_t": 0.75, "CSI_30": 0.5},
                "per_frame": {"mse": [99.0, 100.0], "ACC_t": [0.8, 0.7], "CSI_30": [0.5, 0.5]},
            }
        },
    }
    columns = {"mse": np.full(2, mse), "ACC_t": np.full(2, acc), "CSI_30": np.full(2, np.nan)}
    return Evaluation(name, scores, columns)


ONE = Comparison([evaluation("a_1", 20.125, [9.5, 22.0], -0.01)])
TWO = Comparison([*ONE.evaluations, evaluation("<b|&>", 19.0, None, 0.25)])


def test_a_method_is_a_row_and_the_best_of_a_column_is_bold():
    assert format_tables(score_tables(ONE), "md", ["A note."]).splitlines() == [
        "| Method | MSE ↓ | ACC (t) ↑ |",
        "| --- | ---: | ---: |",
        "| Persistence | 99.50 | **0.7500** |",
        "| a_1 | **20.12** [9.50, 22.00] | -0.0100 |",
        "",
        "Threshold 30",
        "",
        "| Method | CSI ↑ |",
        "| --- | ---: |",
        "| Persistence | **0.5000** |",
        "| a_1 | - |",
        "",
        "A note.",
    ]


def test_latex_has_rules_minus_signs_and_a_column_for_intervals():
    assert format_tables(score_tables(TWO, ["mse", "ACC_t"]), "latex", ["100 %."]).splitlines() == [
        r"\begin{tabular}{lr@{~}rr}",
        r"\toprule",
        r"Method & \multicolumn{2}{c}{MSE $\downarrow$} & ACC (t) $\uparrow$ \\",
        r"\midrule",
        r"Persistence & $99.50$ & & $\mathbf{0.7500}$ \\",
        r"\midrule",
        r"a\_1 & $20.12$ & {\scriptsize $[9.50, 22.00]$} & $-0.0100$ \\",
        r"$<$b$|$\&$>$ & $\mathbf{19.00}$ & & $0.2500$ \\",
        r"\bottomrule",
        r"\end{tabular}",
        "",
        "% 100 %.",
    ]


def test_names_and_notes_end_no_row_and_no_comment():
    odd = Comparison([evaluation("a\r\nb <script>|", 20.125, None, 0.5)])
    table = format_tables(score_tables(odd, ["mse"]), "md", ["c\n<script>"]).splitlines()
    assert table[-3:] == [r"| a b \<script>\| | **20.12** |", "", r"c \<script>"]
    latex = format_tables(score_tables(odd, ["mse"]), "latex", ["c\nd"]).splitlines()
    assert latex[-1] == "% c d"
    assert sum(line.startswith("a b ") for line in latex) == 1


def test_html_is_escaped_and_has_minus_signs():
    text = format_tables([*score_tables(TWO), difference_table(TWO)], "html", ["a < b"])
    assert text.count("<table>") == text.count("</table>") == 3
    assert "<b|" not in text
    assert "<b|&>" in html.unescape(text)
    assert f"<td>{MINUS}0.0100</td>" in text
    assert "<td><b>19.00</b></td>" in text
    assert "<caption>Threshold 30</caption>" in text
    assert text.endswith("<p>a &lt; b</p>")


def test_lead_times_are_columns_with_equal_decimals():
    table = lead_time_table(TWO, "mse")
    assert table.caption == "MSE ↓ by lead time in frames, without intervals"
    rows = [[row[0], *((cell.mean, cell.is_best) for cell in row[1:])] for row in table.rows]
    assert (table.header, rows) == (
        ["Method", "1", "2"],
        [
            ["Persistence", ("99.00", False), ("100.00", True)],
            ["a_1", ("19.12", False), ("120.12", False)],
            ["<b|&>", ("18.00", True), ("119.00", False)],
        ],
    )


def test_differences_have_the_digits_of_the_largest():
    found = [[str(cell) for cell in row] for row in difference_table(TWO).rows]
    pair = f"<b|&> {MINUS} a_1"
    assert found == [
        ["MSE", pair, "-1.12 [-1.12, -1.12]", "<b|&>", "yes"],
        ["ACC (t)", pair, "0.260 [0.260, 0.260]", "<b|&>", "yes"],
        ["CSI (30)", pair, "-", "-", "-"],
    ]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: score_tables(ONE, ["ssim"]), "--scores"),
        (lambda: lead_time_table(ONE, "ssim"), "--by_lead_time"),
        (lambda: format_tables([], "pdf"), "--format"),
    ],
)
def test_scores_and_formats_that_do_not_exist_are_rejected(make, named):
    with pytest.raises(MimError, match=named):
        make()


@pytest.mark.parametrize(
    ("values", "expected"),
    [([62.3, 70, 200], 2), ([0.912], 4), ([12345.6], 0), ([-0.5, None, 0.0], 4), ([None], 0)],
)
def test_the_median_has_four_digits(values, expected):
    assert decimals(values) == expected


@pytest.mark.parametrize(
    ("score", "title", "threshold"),
    [
        ("mse", "MSE", ""),
        ("ssim_uint8", "SSIM (uint8)", ""),
        ("rmse_t2m_K", "RMSE (t2m K)", ""),
        ("RMSE_1", "RMSE (1)", ""),
        ("power_ratio", "Power ratio", ""),
        ("sharpness", "Sharpness", ""),
        ("CSI", "CSI", ""),
        ("CSI_pool4", "CSI (pool4)", ""),
        ("CSI_pool4_30", "CSI (pool4 30)", "30"),
        ("FSS_window4_0.5", "FSS (window4 0.5)", "0.5"),
        ("BIAS_-5", "BIAS (-5)", "-5"),
    ],
)
def test_scores_are_named_as_in_papers(score, title, threshold):
    assert (score_title(score), threshold_of(score)) == (title, threshold)


def test_thresholds_of_one_score_are_listed_together():
    assert listed_titles(["mse", "CSI_30", "CSI_40", "POD_30"]) == "MSE, CSI (30, 40) and POD (30)"
    assert listed_titles(["CSI_30", "CSI"]) == "CSI (30, mean)"
