"""Line charts as numbers that a template draws."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from matplotlib.ticker import LogLocator, MaxNLocator

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 56, 24, 12, 40
MOST_MARKS = 40

Series = tuple[Sequence[float], Sequence[float | None]]


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        title: in the legend.
        style: number of its colour and dashes; 0: the model.
        path: of SVG.
        marks: position and text of each point; none where they would be too many.
    """

    title: str
    style: int
    path: str
    marks: list[tuple[float, float, str]]


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart of `WIDTH` x `HEIGHT` units.

    Attributes:
        title: above it.
        x_label: below its axis.
        lines: in the order of their styles.
        x_ticks, y_ticks: position and text.
        summary: what it shows, for those who do not see it.
    """

    title: str
    x_label: str
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    summary: str


def line_chart(
    title: str,
    x_label: str,
    series: Mapping[str, Series],
    styles: Sequence[int] | None = None,
    logarithmic: bool = False,
) -> Chart:
    """A chart of series, title -> (x, y); points whose y is None are left out.

    A series without any point, as a score that is nowhere defined, has no line. Logarithmic axes
    leave out what is not above 0, and x falls from left to right, as wavelengths are shown.

    Args:
        title: above it.
        x_label: below its axis.
        series: what is drawn.
        styles: of each of them; by default 0, 1, ...
        logarithmic: whether both axes are.
    """
    points = {
        name: [
            (x, y)
            for x, y in zip(*pair, strict=True)
            if y is not None and (not logarithmic or min(x, y) > 0)
        ]
        for name, pair in series.items()
    }
    everything = [point for part in points.values() for point in part] or [(1, 1)]
    xs, ys = zip(*everything, strict=True)
    if logarithmic:
        to_x, x_ticks = _logarithmic_axis(xs, WIDTH - RIGHT, LEFT, base=2)
        to_y, y_ticks = _logarithmic_axis(ys, HEIGHT - BOTTOM, TOP, base=10)
    else:
        to_x, x_ticks = _axis(xs, LEFT, WIDTH - RIGHT, integer=True)
        to_y, y_ticks = _axis(ys, HEIGHT - BOTTOM, TOP)
    lines = []
    for style, (name, part) in zip(styles or range(len(points)), points.items(), strict=True):
        if not part:
            continue
        placed = [(to_x(x), to_y(y)) for x, y in part]
        marks = [
            (*place, f"{name}, {x_label} {x:g}: {y:.4g}")
            for place, (x, y) in zip(placed, part, strict=True)
        ]
        path = "M" + "L".join(f"{x:g} {y:g}" for x, y in placed)
        lines.append(Line(name, style, path, marks if len(marks) <= MOST_MARKS else []))
    ends = [
        f"{name} from {part[0][1]:.4g} to {part[-1][1]:.4g}"
        for name, part in points.items()
        if part
    ]
    summary = f"{title} by {x_label}: {'; '.join(ends)}."
    return Chart(title, x_label, lines, x_ticks, y_ticks, summary)


def _axis(values, start, end, integer=False):
    low, high = min(values), max(values)
    if low == high:
        low, high = (low - 1, high + 1) if integer else (low - abs(low) / 2, high + abs(low) / 2)
        high += low == high
    margin = 0 if integer else (high - low) * 0.06
    low, high = low - margin, high + margin

    def place(value):
        return round(start + (value - low) / (high - low) * (end - start), 1)

    ticks = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=integer).tick_values(low, high)
    return place, [(place(tick), f"{tick:g}") for tick in ticks if low <= tick <= high]


def _logarithmic_axis(values, start, end, base):
    low, high = math.log(min(values)), math.log(max(values))
    if low == high:
        low, high = low - 1, high + 1

    def place(value):
        return round(start + (math.log(value) - low) / (high - low) * (end - start), 1)

    ticks = LogLocator(base, numticks=8).tick_values(math.exp(low), math.exp(high))
    # Rounding must not cost the tick at an end.
    inside = [tick for tick in ticks if low - 1e-9 <= math.log(tick) <= high + 1e-9]
    return place, [(place(tick), f"{tick:g}") for tick in inside]
