"""What is known of trained weights: NAME.json, beside their file NAME.weights.h5."""

import dataclasses
import difflib
import hashlib
import os
import re
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from mim_tf.errors import MimError
from mim_tf.storage.paths import opened, parse_json, read_text

_OF_A_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclasses.dataclass(frozen=True)
class Scores:
    """Scores by one protocol.

    Attributes:
        sequences: that were evaluated.
        sha256: of them, as an evaluation computes it.
        mean: score -> its mean over sequences and lead times.
        intervals: score -> the 95 % bootstrap interval of the mean, None where there is none.
        baselines: baseline -> score -> its mean.
    """

    sequences: int
    sha256: str
    mean: dict
    intervals: dict
    baselines: dict


@dataclasses.dataclass(frozen=True)
class Preset:
    """Trained weights that have a name; None or "" stands for what nobody noted.

    Attributes:
        name: of the preset; letters, digits, - and _.
        folder: of both files.
        description: what it predicts, and with which network.
        sha256: of the weights file.
        parameters: numbers in it.
        training_data: what it was trained on.
        updates: how many, from the first weights on.
        sequences: that it was shown, repetitions included.
        command: by which it was trained.
        seed: of that training.
        hardware: it was trained on.
        hours: of that hardware.
        energy: that took.
        limits: what it cannot do.
        licence: of the weights.
        scored_on: which sequences the scores are of.
        scores: protocol -> scores.
    """

    name: str
    folder: Path
    description: str
    sha256: str
    parameters: int
    training_data: str = ""
    updates: int | None = None
    sequences: int | None = None
    command: str = ""
    seed: int | None = None
    hardware: str = ""
    hours: int | float | None = None
    energy: str = ""
    limits: str = ""
    licence: str = ""
    scored_on: str = ""
    scores: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name)
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, field.type):  # type: ignore[arg-type]
                raise MimError(f"{field.name} of a preset cannot be {value!r}.")

    @property
    def path(self) -> Path:
        """The weights file."""
        return self.folder / f"{self.name}.weights.h5"

    @property
    def record(self) -> Path:
        """The JSON file."""
        return self.folder / f"{self.name}.json"

    def check(self) -> None:
        """Raises `MimError` if the weights file is missing or is not the one described."""
        try:
            with opened(self.path, "weights") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except MimError as error:
            raise MimError(
                f"The weights {self.name} cannot be read: {error} {self._mending()}"
            ) from None
        if digest != self.sha256:
            raise MimError(
                f"{self.path} is not the file that {self.record} describes: expected the SHA-256 "
                f"{self.sha256}, received {digest}. {self._mending()}"
            )

    def _mending(self) -> str:
        if self.folder == PACKAGED:
            return "Install mim_tf again."
        return "Copy both files again from where they were saved."


PACKAGED = Path(__file__).parents[1] / "weights_by_name"
"""The folder that comes with the package."""


def is_name(text: str) -> bool:
    """Whether a preset can have this name: no path separator and no dot is in it."""
    return _OF_A_NAME.fullmatch(text) is not None


def check_name(name: str) -> None:
    """Raises `MimError` for a name that no preset can have."""
    if not is_name(name):
        raise MimError(
            f"The name of a preset has letters, digits, - and _, received {name!r}. Choose another."
        )


def read_preset(path: Path) -> Preset:
    """The preset of a JSON file; its weights file is not looked at.

    Raises:
        MimError: if it cannot be read or is not of this form.
    """
    try:
        content = parse_json(read_text(path, "the JSON file of a preset"))
        scores = {name: Scores(**each) for name, each in content.pop("scores", {}).items()}
        return Preset(path.stem, path.parent, **content, scores=scores)
    except (ValueError, TypeError, AttributeError, MimError) as error:
        raise MimError(
            f"{path} does not describe a preset: {error}. Put a copy of it back, or write it with "
            "mim_tf.save_preset."
        ) from None


def as_json(preset: Preset) -> dict[str, Any]:
    """What the JSON file of a preset holds: all but its name and folder."""
    content = dataclasses.asdict(preset)
    return {name: content[name] for name in content if name not in ("name", "folder")}


# MERGED: Where presets are looked for: the package, then the folder MIM_TF_PRESETS; never the network.


VARIABLE = "MIM_TF_PRESETS"
"""Environment variable that names a folder of `save_preset`."""


def list_presets() -> dict[str, Preset]:
    """Name -> preset, those of the package first; of two with one name the package's.

    Raises:
        MimError: if MIM_TF_PRESETS is no folder, or a JSON file does not describe a preset.
    """
    presets: dict[str, Preset] = {}
    for folder in _folders():
        for record in sorted(folder.glob("*.json")):
            if is_name(record.stem) and record.stem not in presets:
                presets[record.stem] = read_preset(record)
    return presets


def find_preset(name: str | PathLike) -> Preset | None:
    """The preset of this name, or None; a path of that name in the working directory goes first.

    Raises:
        MimError: if its JSON file does not describe a preset, or MIM_TF_PRESETS is no folder.
    """
    if not is_name(str(name)) or os.path.lexists(name):
        return None
    records = (folder / f"{name}.json" for folder in _folders())
    found = next(filter(os.path.lexists, records), None)
    return read_preset(found) if found else None


def find_weights(path: str | PathLike) -> str | PathLike:
    """The file of the preset named `path`, or `path` itself where it is a path.

    Raises:
        MimError: if the file of the preset is missing or is not the one described, or `path` looks
            like a name and is none.
    """
    preset = find_preset(path)
    if preset:
        preset.check()
        return preset.path
    is_path = os.path.lexists(path) or os.path.lexists(f"{path}.index")  # of TensorFlow 1
    if is_name(str(path)) and not is_path:
        raise MimError(_unknown(str(path)))
    return path


def _unknown(name: str) -> str:
    known = list(list_presets())
    near = difflib.get_close_matches(name, known, n=1)
    guess = f" Did you mean {near[0]}?" if near else ""
    return (
        f"No weights at {name}: there is no such file here, and the names of trained weights are "
        f"{', '.join(known)} (`mim presets` lists them; {VARIABLE} names a folder of more).{guess}"
    )


def _folders() -> Iterator[Path]:
    """The folders to look in, one after the other, so that the second is checked when needed."""
    yield PACKAGED
    own = os.environ.get(VARIABLE)
    if not own:
        return
    folder = Path(own).expanduser()
    if not os.path.isdir(folder):
        raise MimError(
            f"{VARIABLE} must name a folder that mim_tf.save_preset wrote, received {own!r}, which "
            "is no folder. Correct or unset it."
        )
    yield folder
