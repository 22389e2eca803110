"""Charts of a page, drawn by Matplotlib as SVG, with colours from the page's style sheet."""

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mim_tf.values.text import literal

WIDTH, HEIGHT = 420, 250
FONT_SIZE = 13
MOST_MARKS = 40
"""Points of a line that are marked and have a tooltip; of longer lines none are."""


class Chart(NamedTuple):
    """Title and SVG of a chart; the SVG is empty if there is no value to draw."""

    title: str
    svg: str


def line_chart(
    title: str,
    x_label: str,
    xs: Sequence[float],
    series: Mapping[str, Sequence[float | None]],
    styles: Sequence[int] | None = None,
    logarithmic: bool = False,
) -> Chart:
    """Return a chart of lines.

    Args:
        title, x_label: text above the chart, and below the x axis.
        xs: x of the points of each line.
        series: title of a line -> y of its points; those that are None are left out.
        styles: number of each line's style in the style sheet; by default 0, 1, ...
        logarithmic: draw both axes logarithmic, without points that are not above 0. x then
            falls from left to right, as is usual for wavelengths.
    """
    figure, axes = _empty_figure(x_label)
    tooltips: list[str] = []
    ends: list[str] = []
    lines = list(zip(styles or range(len(series)), series.items(), strict=True))
    for style, (name, ys) in reversed(lines):  # the first line lies on top
        points = [
            (x, y)
            for x, y in zip(xs, ys, strict=True)
            if y is not None and (not logarithmic or min(x, y) > 0)
        ]
        if not points:
            continue
        marked = len(points) <= MOST_MARKS
        form, gid = "o-" if marked else "-", f"line style-{style}"
        axes.plot(*zip(*points, strict=True), form, ms=7, mew=0, gid=gid, clip_on=False)
        tooltips += [f"{name}, {x_label} {x:g}: {y:.4g}" for x, y in points * marked]
        ends.insert(0, f"{name} from {points[0][1]:.4g} to {points[-1][1]:.4g}")
    if logarithmic:
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.margins(0)
        axes.invert_xaxis()
    else:
        axes.margins(0, 0.06)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    summary = f"{title} by {x_label}: {'; '.join(ends)}."
    return Chart(title, _svg(figure, summary, tooltips) if ends else "")


def histogram_chart(
    title: str, x_label: str, counts: Mapping[str, Sequence[int]], low: float, high: float
) -> Chart:
    """Return a chart of the share of the values in each bin, on a logarithmic axis.

    `counts` are for each line the numbers of values in the bins from `low` to `high`.
    """
    shares = {name: np.array(part) / max(sum(part), 1) for name, part in counts.items()}
    least = min((part[part > 0].min() for part in shares.values() if part.any()), default=0.1)
    # The axis begins below the least share, so that its step differs from an empty bin.
    bottom = 10.0 ** math.floor(math.log10(least) - 0.01)
    figure, axes = _empty_figure(x_label)
    fullest: list[str] = []
    for style, (name, part) in reversed(list(enumerate(shares.items()))):
        edges = np.linspace(low, high, len(part) + 1)
        heights = np.maximum(part, bottom)
        axes.stairs(heights, edges, baseline=bottom, gid=f"line filled style-{style}")
        centre = edges[part.argmax() : part.argmax() + 2].mean()
        fullest.insert(0, f"{name} most often near {centre:.4g}")
    axes.set_yscale("log")
    axes.set(xlim=(low, high), ylim=(bottom, 1))
    return Chart(title, _svg(figure, f"{title}: {'; '.join(fullest)}."))


def _empty_figure(x_label):
    figure = Figure((WIDTH / 72, HEIGHT / 72))  # SVG of Matplotlib has 72 units an inch
    figure.patch.set_visible(False)
    axes = figure.add_axes((0.13, 0.16, 0.81, 0.79), frame_on=False)
    axes.set_xlabel(literal(x_label), fontsize=FONT_SIZE)
    axes.tick_params(length=0, which="both", labelsize=FONT_SIZE, pad=6)
    axes.grid(axis="y", gid="grid")
    return figure, axes


def _svg(figure, summary, tooltips=()):
    """Return a figure as SVG to be embedded in a page."""
    (axes,) = figure.axes
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    file = io.StringIO()
    with rc_context({"svg.fonttype": "none"}):
        figure.savefig(file, format="svg")
    content = file.getvalue().partition("</metadata>")[2]
    # The style sheet gives classes their colours, and text its font. Other ids would stand twice
    # in a page, and Matplotlib's style element would apply to all of it.
    content = re.sub(r'id="((?:line|grid)[a-z0-9 -]*)"', r'class="\1"', content)
    unwanted = r' id="[\w.]+_\d+"|<style.*?</style>|<!--.*?-->|font-\w+: [^;"]*; '
    content = re.sub(unwanted, "", content, flags=re.DOTALL)
    titles = (f"><title>{escape(text)}</title></use>" for text in tooltips)
    content = re.sub(r"(?<=<use )([^>]*)/>", lambda mark: mark[1] + next(titles), content)
    start = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">')
    return start.format(WIDTH, HEIGHT, summary) + Markup(content)
