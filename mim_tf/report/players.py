"""Players of a page: frames in colour, side by side in one picture that a script moves along.

Colour maps are chosen so that colour-blind readers can tell their colours apart.
"""

import base64
import io
import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap
from PIL import Image

from mim_tf.evaluation.stored import Samples
from mim_tf.values.scale import TRANSFORMED, TRANSFORMS, LinearScale

BUDGET = 8_000_000
"""Characters of all pictures of a page, so that it has at most 10 MB."""

WIDEST = 16000
"""Pixels of the widest picture that browsers decode on a phone too."""

FIELD_MAPS = {"dBZ": "inferno"}
OTHER_FIELDS = "viridis"
ERROR_MAP = matplotlib.colormaps["cividis"]
MISSING = 128
"""Grey level of a missing value."""

DIFFERENCE_MAP = LinearSegmentedColormap.from_list(
    "difference", ["#a8d3ff", "#2a82d8", "#000000", "#d9660e", "#ffd3a3"]
)
"""Blue where a forecast is too low, orange where it is too high."""


class Field(NamedTuple):
    """Meaning of the levels of frames."""

    unit: str  # empty for pictures, whose levels have no physical values
    low: float  # value of level 0
    high: float  # value of level 255
    colors: Colormap
    name: str = ""  # of the channel that is shown, if channels have names

    @property
    def size(self) -> float:
        return self.high - self.low

    def shown(self, frames: np.ndarray) -> np.ndarray:
        """Return the channels `[..., C]` that pictures show: three colours, else the first."""
        return frames if frames.shape[-1] == 3 and not self.unit else frames[..., :1]


def field_of(data: dict, channel: int = 0) -> Field:
    """Return the field of a channel in the description of a source."""
    if not data.get("scale"):
        return Field("", 0, 1, matplotlib.colormaps["gray"])
    scale = LinearScale(**data["scale"])
    name = "".join(scale.names[channel : channel + 1]) if (scale.channels or 1) > 1 else ""
    scale = scale if scale.is_uniform else scale.of_channel(channel)
    unit, low, high = str(scale.unit), np.min(scale.low), np.max(scale.high)
    if scale.transform:  # levels, and so errors, are in its equal steps
        (unit, zero), (function, _) = TRANSFORMED[scale.transform], TRANSFORMS[scale.transform]
        low, high = (zero + function(end, np) for end in (low, high))
    elif scale.black is not None and scale.white is not None:
        low, high = np.min(scale.black), np.max(scale.white)
    colors = matplotlib.colormaps[FIELD_MAPS.get(unit, OTHER_FIELDS)]
    return Field(unit or "1", float(low), float(high), colors, name)


def colored(values: np.ndarray, low: float, high: float, colors: Colormap) -> np.ndarray:
    """Return `[..., H, W]` as RGB `[..., H, W, 3]`, uint8, with NaN in grey."""
    share = (np.asarray(values, np.float32) - low) / max(high - low, 1e-9)
    rgb = colors(np.clip(share, 0, 1), bytes=True)[..., :3]
    return np.where(np.isnan(share)[..., None], np.uint8(MISSING), rgb)


def visible(levels: np.ndarray, field: Field) -> np.ndarray:
    """Return frames `[..., H, W, C]`, uint8, as RGB, with masked values in grey."""
    levels = field.shown(levels)
    missing = np.ma.getmaskarray(levels).any(axis=-1, keepdims=True)
    levels = np.ma.getdata(levels)
    if field.unit:
        levels = colored(levels[..., 0], 0, 255, field.colors)
    rgb = np.broadcast_to(levels, (*levels.shape[:-1], 3))
    return np.where(missing, np.uint8(MISSING), rgb)


def difference(truth: np.ndarray, forecast: np.ndarray, field: Field) -> np.ndarray:
    """Return forecast minus truth `[..., H, W]`, from -1 to 1, with NaN where truth is masked.

    Of RGB frames this is the mean over channels.
    """
    difference = field.shown(forecast).astype(np.float32) - field.shown(truth)
    return np.ma.filled(difference.mean(axis=-1) / 255, np.nan)


def difference_limit(truth: np.ndarray, forecast: np.ndarray, field: Field) -> float:
    """Return the limit of a colour bar of errors: 0.5 % of the errors lie outside it."""
    errors = np.abs(difference(truth, forecast, field))
    known = errors[~np.isnan(errors)]
    return max(float(np.quantile(known, 0.995)), 0.01) if known.size else 0.01


class Bar(NamedTuple):
    """Colour bar."""

    picture: str
    low: str  # text at its left end
    high: str


class Pane(NamedTuple):
    """Picture of frames side by side."""

    title: str
    picture: str
    frames: int  # a pane of one frame stands still
    bar: Bar | None = None


class Player(NamedTuple):
    """Panes that go through time together."""

    title: str
    note: str
    panes: list[Pane]
    frames: int
    context: int | None  # frames that are given to the network; None for data alone
    shape: tuple[int, int]  # height and width


def sequence_players(
    samples: Mapping[str, Samples],
    field: Field,
    captions: Mapping[int, tuple[str, str]],
    budget: int = BUDGET,
) -> list[Player]:
    """Return a player for each sequence: the truth, then all forecasts, then their errors.

    Args:
        samples: name of a network -> its samples, on the same sequences.
        field: meaning of the levels.
        captions: index of a sequence, which all samples have -> title and note of its player.
        budget: characters of all pictures together.
    """
    limit = max(difference_limit(each.future, each.forecast, field) for each in samples.values())
    frames, height, width = next(iter(samples.values())).truth.shape[1:4]
    bar = field_bar(field)
    error_bar = _bar(DIFFERENCE_MAP, -limit * field.size, limit * field.size, field.unit, sign="+")

    def draw(index, title, note, reduction):
        pairs = {name: each.of(index) for name, each in samples.items()}
        truth, _ = next(iter(pairs.values()))
        panes, errors = [Pane("truth", sprite(visible(truth, field), reduction), frames, bar)], []
        for name, (_, forecast) in pairs.items():
            context = frames - len(forecast)
            shown = np.ma.concatenate([truth[:context], forecast])
            panes.append(Pane(name, sprite(visible(shown, field), reduction), frames, bar))
            error = colored(difference(truth, shown, field), -limit, limit, DIFFERENCE_MAP)
            label = "error" if len(samples) == 1 else f"error of {name}"
            errors.append(Pane(label, sprite(error, reduction), frames, error_bar))
        return Player(title, note, [*panes, *errors], frames, context, (height, width))

    return within_budget(
        lambda reduction: [draw(index, *texts, reduction) for index, texts in captions.items()],
        frames * width,
        budget,
    )


def within_budget(draw: Callable[[int], list[Player]], width: int, budget: int) -> list[Player]:
    """Return players whose pictures are small enough, reduced by the smallest power of two.

    `draw` makes the players with height and width divided by its argument. All frames of a
    sequence, side by side, have `width` pixels; all pictures have at most `budget` characters.
    """
    reduction = 1
    while True:
        if width / reduction <= WIDEST:
            players = draw(reduction)
            if sum(len(pane.picture) for each in players for pane in each.panes) <= budget:
                return players
        reduction *= 2


def error_map_player(squares: np.ndarray, field: Field, sequences: int) -> Player:
    """Return a player of the root mean squared error at each pixel.

    `squares` is the mean squared error `[horizon, H, W]` of `sequences`, NaN at pixels without a
    value.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a pixel that has no value at any time
        overall = np.sqrt(np.nanmean(squares, axis=0, keepdims=True))
    errors = np.sqrt(squares)
    high = float(np.nan_to_num(errors).max())
    # The error is a mean over channels, which has no unit if the channels have their own.
    size, unit = (1, "of the range") if field.name else (field.size, field.unit)
    horizon, height, width = squares.shape
    title, note = "Root mean squared error at each pixel", f"of {sequences} sequences"

    def draw(reduction):
        by_time, mean = (
            sprite(colored(each, 0, high, ERROR_MAP), reduction) for each in (errors, overall)
        )
        bar = _bar(ERROR_MAP, 0, high * size, unit)
        panes = [Pane("by lead time", by_time, horizon), Pane("over all lead times", mean, 1, bar)]
        return [Player(title, note, panes, horizon, 0, (height, width))]

    return within_budget(draw, horizon * width, BUDGET)[0]


def field_bar(field: Field) -> Bar | None:
    """Return the colour bar of physical values; pictures need none."""
    return _bar(field.colors, field.low, field.high, field.unit) if field.unit else None


def _bar(colors, low, high, unit, sign=""):
    def text(value):
        digits = ".0f" if abs(value) >= 10 else ".2g"
        return f"{value:{sign}{digits}}".replace("-", "\N{MINUS SIGN}")

    ramp = colored(np.linspace(0, 1, 128)[None, None], 0, 1, colors)
    return Bar(sprite(ramp), text(low), f"{text(high)} {unit}".strip())


def sprite(frames: np.ndarray, reduction: int = 1) -> str:
    """Return a data URI of a PNG of RGB frames `[T, H, W, 3]`, uint8, next to each other.

    Height and width are divided by `reduction`.
    """
    reduced = [np.asarray(Image.fromarray(frame).reduce(reduction)) for frame in frames]
    row = np.concatenate(reduced, axis=1)
    is_grey = (row == row[..., :1]).all()
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(row[..., 0]) if is_grey else row).save(file, "PNG")
    return png_uri(file)


def png_uri(file: io.BytesIO) -> str:
    """Return a data URI of a PNG."""
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
