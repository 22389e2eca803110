"""Frames in colour; every map can be told apart by the colour-blind."""

import dataclasses

import matplotlib
import numpy as np

FIELD_MAPS = {"dBZ": "inferno"}
OTHER_FIELDS = "viridis"
DIFFERENCE_MAP = "RdBu_r"
ERROR_MAP = "cividis"


@dataclasses.dataclass(frozen=True)
class Field:
    """What the levels of frames stand for.

    Attributes:
        unit: of physical values; empty for pictures.
        low, high: values of the levels 0 and 255.
        colors: name of a colour map of Matplotlib.
    """

    unit: str = ""
    low: float = 0.0
    high: float = 1.0
    colors: str = "gray"

    @property
    def size(self) -> float:
        return self.high - self.low


def field_of(data: dict) -> Field:
    """The field that the description of a source speaks of."""
    scale = data.get("scale")
    if not scale:
        return Field()
    unit = scale["unit"]
    return Field(unit, scale["low"], scale["high"], FIELD_MAPS.get(unit, OTHER_FIELDS))


def colored(values: np.ndarray, low: float, high: float, colors: str) -> np.ndarray:
    """`[..., H, W]` as RGB `[..., H, W, 3]`, uint8; grey where a value is NaN."""
    share = (np.asarray(values, np.float32) - low) / max(high - low, 1e-9)
    rgb = matplotlib.colormaps[colors](np.clip(share, 0, 1), bytes=True)[..., :3]
    return np.where(np.isnan(share)[..., None], np.uint8(128), rgb)


def visible(levels: np.ndarray, field: Field) -> np.ndarray:
    """Frames `[..., H, W, C]`, uint8, as RGB; without three channels the first is shown."""
    if levels.shape[-1] == 3:
        return levels
    return colored(levels[..., 0], 0, 255, field.colors)


def difference(truth: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Forecast less truth `[..., H, W]` of levels, from -1 to 1; of RGB the mean of channels."""
    shown = slice(None) if truth.shape[-1] == 3 else slice(1)
    difference = forecast[..., shown].astype(np.float32) - truth[..., shown]
    return difference.mean(axis=-1) / 255


def difference_limit(truth: np.ndarray, forecast: np.ndarray) -> float:
    """Where the colours of differences end, so that all but a few in a hundred are within."""
    return max(float(np.quantile(np.abs(difference(truth, forecast)), 0.995)), 0.01)
