"""Charts as numbers that a template draws."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 56, 24, 12, 40
MOST_MARKS = 40
SUPERSCRIPTS = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"

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
        filled: whether the areas below the lines are.
    """

    title: str
    x_label: str
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    summary: str
    filled: bool = False


def histogram_chart(
    title: str, x_label: str, counts: Mapping[str, Sequence[int]], low: float, high: float
) -> Chart:
    """A chart of the share of the values in each bin, on a logarithmic axis.

    Args:
        title: above it.
        x_label: below its axis.
        counts: name of a line -> number of values in each of the bins from `low` to `high`.
        low, high: ends of the axis.
    """
    shares = {name: np.array(part) / max(sum(part), 1) for name, part in counts.items()}
    least = min((part[part > 0].min() for part in shares.values() if part.any()), default=0.1)
    lowest = math.floor(math.log10(least) - 0.01)
    bottom = HEIGHT - BOTTOM
    to_x, x_ticks = _axis([low, high], LEFT, WIDTH - RIGHT, margin=0)

    def to_y(share):
        exponent = math.log10(share) if share else lowest
        return round(bottom + (exponent - lowest) / -lowest * (TOP - bottom), 1)

    lines = []
    for style, (name, part) in enumerate(shares.items()):
        edges = [to_x(low + (high - low) * i / len(part)) for i in range(len(part) + 1)]
        steps = "".join(f"V{to_y(share):g}H{x:g}" for share, x in zip(part, edges[1:], strict=True))
        lines.append(Line(name, style, f"M{edges[0]:g} {bottom}{steps}V{bottom}", []))
    y_ticks = [(to_y(10.0**n), _power_of_ten(n)) for n in range(lowest, 1)]
    fullest = [
        f"{name} most often near {low + (high - low) * (part.argmax() + 0.5) / len(part):.4g}"
        for name, part in shares.items()
    ]
    summary = f"{title}: {'; '.join(fullest)}."
    return Chart(title, x_label, lines, x_ticks, y_ticks[:: 1 + len(y_ticks) // 6], summary, True)


def _power_of_ten(exponent: int) -> str:
    if exponent > -3:
        return f"{10.0**exponent:g}"
    digits = "".join(SUPERSCRIPTS[int(digit)] for digit in str(-exponent))
    return f"10\N{SUPERSCRIPT MINUS}{digits}"


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


def _axis(values, start, end, integer=False, margin=0.06):
    low, high = min(values), max(values)
    if low == high:
        low, high = (low - 1, high + 1) if integer else (low - abs(low) / 2, high + abs(low) / 2)
        high += low == high
    margin = 0 if integer else (high - low) * margin
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
