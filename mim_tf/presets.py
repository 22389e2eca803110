"""Trained weights that come with the package, by name."""

import dataclasses
import hashlib
from os import PathLike
from pathlib import Path

from mim_tf.errors import MimError

FOLDER = Path(__file__).with_name("weights_by_name")


@dataclasses.dataclass(frozen=True)
class Preset:
    """A file of weights, and what there is to know about it.

    Attributes:
        description: what it predicts.
        file: its name in the package, float16.
        sha256: of the file.
        scores: on `data`, by the 2019 definitions.
        data: what the scores are of.
        command: trained it.
        training: how much of what, where and how long.
    """

    description: str
    file: str
    sha256: str
    scores: dict[str, float]
    data: str
    command: str
    training: str


PRESETS: dict[str, Preset] = {
    "moving-mnist": Preset(
        description="Moving MNIST, two digits in frames of 64x64, 10 -> 10; MIM, 2 layers of 64.",
        file="moving-mnist.weights.h5",
        sha256="4d6853cb02efb47b920e2c61bc1e38a56f966bcb0e564531cf09b054dda1a7a2",
        scores={"mse": 96.35, "mae": 232.17, "ssim_uint8": 0.640},
        data="the first 1,000 generated test sequences, of MNIST's test digits",
        command="python run.py --flagfile=experiments/quick.cfg",
        training="2,400 updates of batch 8 on sequences of all of MNIST's training digits; 1,289 "
        "processor seconds of a shared machine of two cores",
    ),
}


def find_weights(path: str | PathLike) -> str | PathLike:
    """The file of the preset named `path`, or `path` itself where it names none.

    A file or folder of that name in the working directory goes first.

    Raises:
        MimError: if the file of the preset is missing or is not the one that was released.
    """
    preset = PRESETS.get(str(path))
    if preset is None or Path(path).exists():
        return path
    file = FOLDER / preset.file
    try:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise MimError(
            f"The weights {path} cannot be read: {error}. Install mim_tf again."
        ) from None
    if digest != preset.sha256:
        raise MimError(
            f"{file} is not the file that was released: expected the SHA-256 {preset.sha256}, "
            f"received {digest}. Install mim_tf again."
        )
    return file
