"""Frames in colour; every map can be told apart by the colour-blind."""

import dataclasses

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap

from mim_tf.data.scale import LinearScale

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
