"""Where presets are looked for: the package, then the folder MIM_TF_PRESETS; never the network."""

import difflib
import os
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from mim_tf.errors import MimError
from mim_tf.presets.preset import PACKAGED, Preset, is_name, read_preset

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
