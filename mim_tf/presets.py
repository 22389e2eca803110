"""Trained weights that come with the package, by name."""

import dataclasses
import hashlib
import os
from os import PathLike
from pathlib import Path

from mim_tf.errors import MimError
from mim_tf.given_path import opened

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
        description="Moving MNIST, two digits in frames of 64x64, 10 -> 10; MIM, 3 layers of 64.",
        file="moving-mnist.weights.h5",
        sha256="060db8a366cfc7eafe6c1466a2e446f1794993863055c7fb7bdc454e6afc476d",
        scores={"mse": 76.39, "mae": 189.19, "ssim_uint8": 0.753},
        data="the first 1,000 generated test sequences, of MNIST's test digits",
        command="python run.py --flagfile=experiments/hour.cfg, stopped at iteration 3,000 and "
        "resumed with --resume --max_iterations=6000",
        training="6,000 updates of batch 8 on sequences of all of MNIST's training digits; 3,568 "
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
    if preset is None or os.path.lexists(path):
        return path
    file = FOLDER / preset.file
    try:
        with opened(file, "weights") as content:
            digest = hashlib.sha256(content.read()).hexdigest()
    except MimError as error:
        raise MimError(
            f"The weights {path} cannot be read: {error} Install mim_tf again."
        ) from None
    if digest != preset.sha256:
        raise MimError(
            f"{file} is not the file that was released: expected the SHA-256 {preset.sha256}, "
            f"received {digest}. Install mim_tf again."
        )
    return file
