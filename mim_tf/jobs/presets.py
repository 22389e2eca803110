"""Presets are written: the weights, then what is known of them."""

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from mim_tf.errors import MimError
from mim_tf.evaluation.stored import read_evaluation
from mim_tf.models import VideoPredictor
from mim_tf.storage.files import write_json
from mim_tf.storage.paths import check_free
from mim_tf.weights import save_weights
from mim_tf.weights.by_name import PACKAGED, Preset, Scores, as_json, check_name, read_preset

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


# MERGED: Presets as a list for the terminal and as model cards.


_LISTED = ("mse", "mae", "ssim_uint8", "ssim")


def listing(preset: Preset) -> str:
    """Name, size, scores and origin, in a few lines."""
    where = "in the package" if preset.folder == PACKAGED else f"in {preset.folder}"
    lines = [
        f"{preset.name}: {preset.description}",
        f"  {preset.parameters:,} parameters, {_size(preset)}, {where}",
    ]
    for protocol, scores in preset.scores.items():
        listed = [f"{name} {_ours(scores, name)}" for name in _LISTED if name in scores.mean]
        lines.append(f"  {protocol}: {', '.join(listed)}")
    if preset.scores:
        lines.append(f"  scored on {preset.scored_on}")
    if preset.command:
        lines.append(f"  trained with {preset.command}")
    return "\n".join(lines)


def cards(presets: Iterable[Preset]) -> str:
    """A page in Markdown: a model card for each preset."""
    return "\n\n".join(["# Model cards", *map(_card, presets)])


def _card(preset: Preset) -> str:
    facts = {
        "trained on": preset.training_data,
        "updates": _count(preset.updates),
        "sequences shown": _count(preset.sequences),
        "seed": str(preset.seed) if preset.seed is not None else "",
        "command": preset.command,
        "hardware": preset.hardware,
        "hours": f"{preset.hours:g}" if preset.hours is not None else "",
        "energy": preset.energy,
        "parameters": _count(preset.parameters),
        "file": f"`{preset.path.name}`, {_size(preset)}, SHA-256 `{preset.sha256}`",
        "limits": preset.limits,
        "licence": preset.licence,
    }
    rows = [(name, fact or "not known") for name, fact in facts.items()]
    parts = [f"## {preset.name}", preset.description, _table([("", ""), *rows])]
    if preset.scores:
        parts.append(f"Scores with their 95 % bootstrap intervals, on {preset.scored_on}:")
    parts += [_table(_score_rows(*scored)) for scored in preset.scores.items()]
    return "\n\n".join(parts)


def _score_rows(protocol: str, scores: Scores) -> list[tuple[str, ...]]:
    header = (
        f"`{protocol}`",
        "these weights",
        *(name.replace("_", " ") for name in scores.baselines),
    )
    baselines = scores.baselines.values()
    return [
        header,
        *(
            (f"`{name}`", _ours(scores, name), *(_number(each.get(name)) for each in baselines))
            for name in scores.mean
        ),
    ]


def _table(rows: list[tuple[str, ...]]) -> str:
    header, *others = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([header, "|" + "---|" * len(rows[0]), *others])


def _ours(scores: Scores, name: str) -> str:
    interval = scores.intervals.get(name)
    mean = _number(scores.mean[name])
    return f"{mean} [{', '.join(map(_number, interval))}]" if interval else mean


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _size(preset: Preset) -> str:
    """Of the weights file."""
    if not preset.path.is_file():
        return "file missing"
    return f"{preset.path.stat().st_size / 1e6:.1f} MB"
