"""What the stored numbers of SEVIR's images stand for."""

import dataclasses

import numpy as np

from mim_tf.data.conversion import ConvertedScale
from mim_tf.data.scale import LinearScale

MISSING = 255  # of VIL
LEVELS = LinearScale("level", 0, 255)


def vil_of_levels(levels: np.ndarray) -> np.ndarray:
    """Vertically integrated liquid in kg/m2 of levels 0 to 254, as SEVIR's authors define it."""
    low, high = (levels - 2) / 90.66, np.exp((levels - 83.9) / 38.9)
    return np.where(levels <= 5, 0, np.where(levels <= 18, low, high))


def levels_of_vil(vil: np.ndarray) -> np.ndarray:
    """The levels of VIL in kg/m2; 0 is 0."""
    vil = np.asarray(vil, np.float64)
    with np.errstate(divide="ignore"):
        high = np.log(vil) * 38.9 + 83.9
    return np.where(vil <= 0, 0, np.where(vil <= 16 / 90.66, vil * 90.66 + 2, high))


VIL = ConvertedScale("kg/m2", LEVELS, vil_of_levels, levels_of_vil)


@dataclasses.dataclass(frozen=True)
class ImageType:
    """How the stored numbers of an image type are read: times `factor`, in the unit of `scale`."""

    scale: LinearScale
    factor: float
    converted: tuple[ConvertedScale, ...] = ()


TYPES = {
    "vil": ImageType(LEVELS, 1, (VIL,)),
    "vis": ImageType(LinearScale("reflectance", 0, 1), 1e-4),
    "ir069": ImageType(LinearScale("degC", -100, 60), 1e-2),
    "ir107": ImageType(LinearScale("degC", -100, 60), 1e-2),
}
