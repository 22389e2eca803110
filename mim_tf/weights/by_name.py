"""Weights by path or name. A preset NAME is a pair of files, NAME.json and NAME.weights.h5.

Presets are looked up in the package, then in the folder MIM_TF_PRESETS; never on the internet.
Nothing here imports Keras, so commands can refuse a wrong name at once.
"""

import dataclasses
import hashlib
import os
import re
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from mim_tf.errors import MimError
from mim_tf.storage.paths import list_folder, opened, parse_json, read_text
from mim_tf.values.text import did_you_mean

PACKAGED = Path(__file__).parents[1] / "weights_by_name"
"""Folder of the presets in the package."""

VARIABLE = "MIM_TF_PRESETS"
"""Environment variable with the folder of a user's presets."""

CHECKPOINT_FILE = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
"""Suffix of a file of a TensorFlow 1 checkpoint."""

_MOST_CHARACTERS = 2**16  # `mim presets` prints them
_OWN = {"description": str, "sha256": str, "parameters": int, "scored_on": str, "scores": dict}
_OF_SCORES = {"sequences": int, "sha256": str, "mean": dict, "intervals": dict, "baselines": dict}


@dataclasses.dataclass(frozen=True)
class Preset:
    """Trained weights with a name.

    Attributes:
        name: letters, digits, - and _.
        folder: of both files.
        description: what the weights predict, and with which network.
        sha256: of the weights file.
        parameters: number of weights.
        facts: label -> text or number, for the model card.
        scored_on: which sequences were scored.
        scores: protocol -> `sequences`, their `sha256`, and by score the `mean`, the 95 % bootstrap
            `intervals` (None where unknown) and the means of `baselines`.
    """

    name: str
    folder: Path
    description: str
    sha256: str
    parameters: int
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    scored_on: str = ""
    scores: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise MimError(
                f"Expected a preset's name of letters, digits, - and _, got {self.name!r}."
            )
        if clash := self.facts.keys() & _OWN.keys():
            raise MimError(f"The preset {self.name} cannot have a fact {min(clash)}.")
        parts: list[tuple[dict[str, Any], dict[str, Any]]] = [
            (vars(self), _OWN),
            (self.facts, dict.fromkeys(self.facts, str | int | float | None)),
            *((scores, _OF_SCORES) for scores in self.scores.values()),
        ]
        for values, kinds in parts:
            for name, kind in kinds.items():
                if not isinstance(value := values.get(name), kind):
                    raise MimError(f"The preset {self.name} has a wrong {name}: {value!r:.40}.")

    @property
    def path(self) -> Path:
        """Path of the weights file."""
        return self.folder / f"{self.name}.weights.h5"

    @property
    def record(self) -> Path:
        """Path of the JSON file."""
        return self.folder / f"{self.name}.json"

    def to_json(self) -> dict[str, Any]:
        """Return the content of the JSON file, in which facts are beside the other fields."""
        return {name: getattr(self, name) for name in _OWN} | self.facts

    def check(self) -> None:
        """Raise `MimError` if the weights file is missing or is not the described file."""
        with opened(self.path, f"the weights {self.name}") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != self.sha256:
            raise MimError(
                f"{self.path}: expected the SHA-256 {self.sha256} of {self.record}, got {digest}. "
                "Copy both files again, or install mim_tf again."
            )


def is_name(text: str) -> bool:
    """Return whether a preset can have this name, which has no path separator and no dot."""
    return re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]*", text) is not None


def read_preset(path: Path) -> Preset:
    """Read the JSON file of a preset; raise `MimError` if it does not describe a preset."""
    text = read_text(path, "the JSON file of a preset")
    if len(text) > _MOST_CHARACTERS:
        raise MimError(
            f"{path}: expected at most {_MOST_CHARACTERS:,} characters, got {len(text):,}. Shorten "
            "its texts."
        )
    try:
        content = parse_json(text)
        known = {name: content.pop(name) for name in _OWN if name in content}
        return Preset(path.stem, path.parent, facts=content, **known)
    except (ValueError, TypeError, AttributeError) as error:
        raise MimError(
            f"{path} does not describe a preset: {error}. Write it with mim_tf.save_preset."
        ) from None


def list_presets() -> dict[str, Preset]:
    """Return name -> preset; where a name is used twice, the preset of the package.

    Raises `MimError` if `MIM_TF_PRESETS` is not a folder or a JSON file is corrupted.
    """
    presets: dict[str, Preset] = {}
    for folder in _folders():
        for record in sorted(folder.glob("*.json")):
            if is_name(record.stem) and record.stem not in presets:
                presets[record.stem] = read_preset(record)
    return presets


def find_preset(name: str | PathLike) -> Preset | None:
    """Return the preset of this name, or None; a file in the working directory comes first."""
    if is_name(str(name)) and not os.path.isfile(name):
        for folder in _folders():
            if os.path.lexists(record := folder / f"{name}.json"):
                return read_preset(record)
    return None


def is_checkpoint(path: str | PathLike) -> bool:
    """Return whether `path` is the prefix of a TensorFlow 1 checkpoint, or one of its files."""
    path = Path(path)
    return CHECKPOINT_FILE.search(path.name) is not None or (
        not os.path.isfile(path) and os.path.isfile(f"{path}.index")
    )


def check_weights_exist(path: str | PathLike) -> None:
    """Raise `MimError` if there are no weights of this path or name; no weights file is read."""
    is_file = os.path.lexists(path) and not os.path.isdir(path)
    if is_checkpoint(path) or find_preset(path) or is_file:
        return
    known = list(list_presets())
    near = (Path(path, "best.weights.h5"), Path(f"{path}.weights.h5"), Path(f"{path}.h5"))
    file = next(filter(os.path.isfile, near), None)
    guess = f" Did you mean {file}?" if file else did_you_mean(str(path), known)
    raise MimError(
        f"No weights at {path}: expected a weights file, the prefix of a TensorFlow 1 checkpoint, "
        f"which has a {Path(path).name}.index, or one of the names {', '.join(known)} (`mim "
        f"presets` lists them; {VARIABLE} names a folder of more).{guess}"
    )


def newest_export(folder: str | Path) -> Path:
    """Return the newest version in the folder of an export; raise `MimError` if it has none."""
    versions = [path for path in list_folder(folder) if path.name.isdecimal()]
    for path in (Path(folder), *sorted(versions, key=lambda path: int(path.name), reverse=True)):
        if os.path.isfile(path / "saved_model.pb"):
            return path
    raise MimError(
        f"{folder}: expected a weights file, such as best.weights.h5 of a run, or a folder made by "
        "mim export, got another folder."
    )


def find_weights(path: str | PathLike) -> str | PathLike:
    """Return the weights file of the preset named `path`, or `path` itself if it is a path.

    If there are no weights, or the preset is corrupted, `MimError` is raised.
    """
    if preset := find_preset(path):
        preset.check()
        return preset.path
    check_weights_exist(path)
    return path


def _folders() -> Iterator[Path]:
    # The second folder is checked only if the first does not have the name.
    yield PACKAGED
    if own := os.environ.get(VARIABLE):
        folder = Path(os.path.expanduser(own))  # unlike Path's, no error for unknown users
        if not os.path.isdir(folder):
            raise MimError(f"Expected the folder of mim_tf.save_preset in {VARIABLE}, got {own!r}.")
        yield folder
