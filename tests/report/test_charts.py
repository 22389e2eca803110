"""Where lines and ticks of a chart stand."""

import re

import pytest

from mim_tf.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, line_chart


def test_a_line_goes_from_edge_to_edge():
    chart = line_chart("mse", "lead time", {"model": ([1, 2, 3], [10.0, None, 30.0])})
    (line,) = chart.lines
    numbers = [float(number) for number in re.findall(r"[\d.]+", line.path)]
    (x0, y0), (x1, y1) = zip(numbers[::2], numbers[1::2], strict=True)
    assert (x0, x1) == (LEFT, WIDTH - RIGHT)
    assert TOP < y1 < y0 < HEIGHT - BOTTOM
    assert [text for _, text in chart.x_ticks] == ["1", "2", "3"]
    assert line.marks[0] == (x0, y0, "model, lead time 1: 10")
    assert chart.summary == "mse by lead time: model from 10 to 30."


@pytest.mark.parametrize("values", [[5.0], [0.0], [None]])
def test_a_single_value_has_a_chart_too(values):
    chart = line_chart("mse", "lead time", {"model": ([1], values)})
    assert len(chart.lines) == (values != [None])
    assert chart.y_ticks


def test_many_points_have_no_marks():
    chart = line_chart("loss", "iteration", {"loss": (range(500), range(500))})
    assert chart.lines[0].marks == []


def test_logarithmic_axes_go_from_long_to_short_waves_and_leave_out_zeros():
    chart = line_chart(
        "spectrum", "wavelength", {"model": ([32, 8, 2], [10.0, 0.0, 0.1])}, logarithmic=True
    )
    (line,) = chart.lines
    (x0, y0, _), (x1, y1, _) = line.marks
    assert (x0, x1) == (LEFT, WIDTH - RIGHT)
    assert (y0, y1) == (TOP, HEIGHT - BOTTOM)
    assert [text for _, text in chart.x_ticks] == ["2", "4", "8", "16", "32"]
    assert [text for _, text in chart.y_ticks] == ["0.1", "1", "10"]
    nothing = line_chart("spectrum", "wavelength", {"model": ([2], [0.0])}, logarithmic=True)
    assert nothing.lines == []
