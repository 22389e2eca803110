"""Charts as numbers that a template draws."""

import base64
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.ticker import LogLocator, MaxNLocator
from PIL import Image

from mim_tf.values.scale import LinearScale

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


# MERGED: Frames in colour; every map can be told apart by the colour-blind.


FIELD_MAPS = {"dBZ": "inferno"}
OTHER_FIELDS = "viridis"
ERROR_MAP = matplotlib.colormaps["cividis"]
MISSING = 128
"""Grey level of a value that is missing."""

DIFFERENCE_MAP = LinearSegmentedColormap.from_list(
    "difference", ["#a8d3ff", "#2a82d8", "#000000", "#d9660e", "#ffd3a3"]
)
"""Blue where a forecast is too low, orange where it is too high."""


@dataclasses.dataclass(frozen=True)
class Field:
    """What the levels of frames stand for.

    Attributes:
        unit: of physical values; empty for pictures.
        low, high: values of the levels 0 and 255.
        colors: its colour map.
        name: of the channel that is shown, where there are others of their own.
    """

    unit: str
    low: float
    high: float
    colors: Colormap
    name: str = ""

    @property
    def size(self) -> float:
        return self.high - self.low


def field_of(data: dict, channel: int = 0) -> Field:
    """The field that the description of a source speaks of, where channels differ that of one."""
    scale = data.get("scale")
    if not scale:
        return Field("", 0, 1, matplotlib.colormaps["gray"])
    shown = LinearScale(**scale)
    name = "".join(shown.names[channel : channel + 1]) if (shown.channels or 1) > 1 else ""
    shown = shown if shown.is_uniform else shown.of_channel(channel)
    low, high = (
        end if bound is None else bound
        for end, bound in ((shown.low, shown.black), (shown.high, shown.white))
    )
    unit = str(shown.unit)
    colors = matplotlib.colormaps[FIELD_MAPS.get(unit, OTHER_FIELDS)]
    return Field(unit or "1", float(np.min(low)), float(np.max(high)), colors, name)


def shown_channels(frames: np.ndarray, field: Field) -> np.ndarray:
    """Of `[..., C]` those that pictures show: of a field the first, else all."""
    return frames[..., :1] if field.unit else frames


def colored(values: np.ndarray, low: float, high: float, colors: Colormap) -> np.ndarray:
    """`[..., H, W]` as RGB `[..., H, W, 3]`, uint8; grey where a value is NaN."""
    share = (np.asarray(values, np.float32) - low) / max(high - low, 1e-9)
    rgb = colors(np.clip(share, 0, 1), bytes=True)[..., :3]
    return np.where(np.isnan(share)[..., None], np.uint8(MISSING), rgb)


def visible(levels: np.ndarray, field: Field) -> np.ndarray:
    """Frames `[..., H, W, C]`, uint8, as RGB; without three channels the first is shown.

    Grey where one that is shown is masked.
    """
    levels = levels if levels.shape[-1] == 3 else levels[..., :1]
    missing = np.ma.getmaskarray(levels).any(axis=-1, keepdims=True)
    levels = np.ma.getdata(levels)
    if field.unit and levels.shape[-1] == 1:
        levels = colored(levels[..., 0], 0, 255, field.colors)
    rgb = np.broadcast_to(levels, (*levels.shape[:-1], 3))
    return np.where(missing, np.uint8(MISSING), rgb)


def difference(truth: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Forecast less truth `[..., H, W]` of levels, from -1 to 1; of RGB the mean of channels.

    NaN where the truth is masked.
    """
    shown = slice(None) if truth.shape[-1] == 3 else slice(1)
    difference = forecast[..., shown].astype(np.float32) - truth[..., shown]
    return np.ma.filled(difference.mean(axis=-1) / 255, np.nan)


def difference_limit(truth: np.ndarray, forecast: np.ndarray) -> float:
    """Where the colours of differences end, so that all but one in two hundred are within."""
    errors = np.abs(difference(truth, forecast))
    known = errors[~np.isnan(errors)]
    return max(float(np.quantile(known, 0.995)), 0.01) if known.size else 0.01


# MERGED: Frames side by side in one PNG, embedded in the page.


WIDEST = 16000
"""Pixels; what browsers decode on a phone too."""


def sprite(frames: np.ndarray, reduction: int = 1) -> str:
    """A data URI of RGB frames `[T, H, W, 3]`, uint8, next to each other.

    Args:
        frames: in the order of time.
        reduction: the factor by which height and width are divided.
    """
    row = np.concatenate([_reduced(frame, reduction) for frame in frames], axis=1)
    is_grey = (row == row[..., :1]).all()
    picture = Image.fromarray(np.ascontiguousarray(row[..., 0]) if is_grey else row)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def least_reduction(frames: int, width: int) -> int:
    """The smallest power of two with which a sprite is at most `WIDEST`."""
    reduction = 1
    while frames * width / reduction > WIDEST:
        reduction *= 2
    return reduction


def _reduced(frame, reduction):
    if reduction == 1:
        return frame
    height, width = (max(1, size // reduction) for size in frame.shape[:2])
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BOX))
