"""Presets are written: the weights, then what is known of them."""

import dataclasses
import hashlib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from mim_tf.errors import MimError
from mim_tf.evaluation.read import read_evaluation
from mim_tf.json_file import write_json
from mim_tf.models import VideoPredictor
from mim_tf.new_path import check_free
from mim_tf.presets.preset import PACKAGED, Preset, Scores, as_json, check_name, read_preset
from mim_tf.weights import save_weights

_OWN = ("name", "folder", "description", "sha256", "parameters", "scored_on", "scores")
FACTS = tuple(field.name for field in dataclasses.fields(Preset) if field.name not in _OWN)
"""What else may be told of a preset."""


def save_preset(
    model: VideoPredictor,
    folder: str | PathLike,
    name: str,
    description: str,
    *,
    half: bool = False,
    replace: bool = False,
    **facts: Any,
) -> Path:
    """Writes the weights of `model`, to be found by their name where MIM_TF_PRESETS is `folder`.

    Args:
        model: what to save.
        folder: made where it is missing.
        name: letters, digits, - and _; the files are NAME.weights.h5 and NAME.json.
        description: what it predicts, and with which network.
        half: round the numbers to float16, for a file of half the size.
        replace: write over a preset of that name, whose scores go: they are of other weights.
        **facts: what else is known, for the model card: `training_data`, `updates`, `sequences`
            shown, `command`, `seed`, `hardware`, `hours`, `energy`, `limits`, `licence`.

    Returns:
        The weights file.

    Raises:
        MimError: if there is a preset of that name already, it cannot be written, or a fact has
            another name or kind.
    """
    folder = Path(folder)
    check_name(name)
    unknown = sorted(facts.keys() - set(FACTS))
    if unknown:
        raise MimError(
            f"What else may be told of a preset is {', '.join(FACTS)}; received "
            f"{', '.join(unknown)}. Correct the name."
        )
    if folder.resolve() != PACKAGED.resolve() and (PACKAGED / f"{name}.json").exists():
        raise MimError(
            f"{name} is the name of weights that come with the package, which are found first. "
            "Choose another."
        )
    preset = Preset(name, folder, description, "", int(model.count_params()), **facts)
    if not replace:
        check_free(preset.path, "name")
        check_free(preset.record, "name")
    try:
        save_weights(model, preset.path, half=half)
        digest = hashlib.sha256(preset.path.read_bytes()).hexdigest()
        write_json(preset.record, as_json(dataclasses.replace(preset, sha256=digest)))
    except OSError as error:
        raise MimError(f"{folder} cannot be written in: {error}. Choose another folder.") from None
    return preset.path


def add_scores(
    folder: str | PathLike, name: str, evaluations: Sequence[str | Path], scored_on: str
) -> None:
    """Adds scores to a preset that was saved, to be listed and to stand on its model card.

    Args:
        folder: of the preset.
        name: of the preset.
        evaluations: folders that `mim evaluate --pretrained_model=NAME` made, one a protocol.
        scored_on: which sequences they are of, in words.

    Raises:
        MimError: if there is no such preset or evaluation.
    """
    preset = read_preset(Path(folder) / f"{name}.json")
    scores = dict(preset.scores)
    for each in evaluations:
        found = read_evaluation(each).scores
        scores[found["protocol"]] = Scores(
            found["sequences"],
            found["data"]["sha256"],
            found["mean"],
            found["intervals"],
            {baseline: part["mean"] for baseline, part in found["baselines"].items()},
        )
    write_json(
        preset.record, as_json(dataclasses.replace(preset, scores=scores, scored_on=scored_on))
    )
