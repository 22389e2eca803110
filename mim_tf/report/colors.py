"""Frames in colour; every map can be told apart by the colour-blind."""

import dataclasses

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap

from mim_tf.data.scale import LinearScale

FIELD_MAPS = {"dBZ": "inferno"}
OTHER_FIELDS = "viridis"
ERROR_MAP = matplotlib.colormaps["cividis"]
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


def field_of(data: dict) -> Field:
    """The field that the description of a source speaks of."""
    scale = data.get("scale")
    if not scale:
        return Field("", 0, 1, matplotlib.colormaps["gray"])
    shown = LinearScale(**scale)
    name = "".join(shown.names[:1]) if (shown.channels or 1) > 1 else ""
    shown = shown if shown.is_uniform else shown.of_channel(0)
    low, high = (
        float(np.asarray(end if bound is None else bound))
        for end, bound in ((shown.low, shown.black), (shown.high, shown.white))
    )
    unit = str(shown.unit)
    colors = matplotlib.colormaps[FIELD_MAPS.get(unit, OTHER_FIELDS)]
    return Field(unit or "1", low, high, colors, name)


def shown_channels(frames: np.ndarray, field: Field) -> np.ndarray:
    """Of `[..., C]` those that pictures show: of a field the first, else all."""
    return frames[..., :1] if field.unit else frames


def colored(values: np.ndarray, low: float, high: float, colors: Colormap) -> np.ndarray:
    """`[..., H, W]` as RGB `[..., H, W, 3]`, uint8; grey where a value is NaN."""
    share = (np.asarray(values, np.float32) - low) / max(high - low, 1e-9)
    rgb = colors(np.clip(share, 0, 1), bytes=True)[..., :3]
    return np.where(np.isnan(share)[..., None], np.uint8(128), rgb)


def visible(levels: np.ndarray, field: Field) -> np.ndarray:
    """Frames `[..., H, W, C]`, uint8, as RGB; without three channels the first is shown."""
    if levels.shape[-1] == 3:
        return levels
    if not field.unit:
        return np.repeat(levels[..., :1], 3, axis=-1)
    return colored(levels[..., 0], 0, 255, field.colors)


def difference(truth: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Forecast less truth `[..., H, W]` of levels, from -1 to 1; of RGB the mean of channels."""
    shown = slice(None) if truth.shape[-1] == 3 else slice(1)
    difference = forecast[..., shown].astype(np.float32) - truth[..., shown]
    return difference.mean(axis=-1) / 255


def difference_limit(truth: np.ndarray, forecast: np.ndarray) -> float:
    """Where the colours of differences end, so that all but a few in a hundred are within."""
    return max(float(np.quantile(np.abs(difference(truth, forecast)), 0.995)), 0.01)
