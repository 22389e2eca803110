"""Presets are saved, scored, listed and described in model cards."""

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from mim_tf.errors import MimError
from mim_tf.evaluation.stored import read_evaluation
from mim_tf.report.read import changes_of
from mim_tf.storage.files import write_json
from mim_tf.storage.paths import check_free, check_writable
from mim_tf.values.text import markdown_table, markdown_text, number
from mim_tf.weights.by_name import PACKAGED, Preset, read_preset

_FACTS = ("training_data", "updates", "command", "seed", "hardware", "hours", "limits", "licence")
"""Facts that a card says are not known if they are missing."""

_LISTED = ("mse", "mae", "ssim_uint8", "ssim")


def save_preset(
    model,
    folder: str | PathLike,
    name: str,
    description: str,
    *,
    half: bool = False,
    replace: bool = False,
    **facts: str | int | float | None,
) -> Path:
    """Write weights, to be found by name where MIM_TF_PRESETS is `folder`, and return their path.

    Args:
        model: a `VideoPredictor`.
        folder: created if it is missing.
        name: letters, digits, - and _; the files are NAME.weights.h5 and NAME.json.
        description: what the weights predict, and with which network.
        half: round the numbers to float16, for a file of half the size.
        replace: overwrite a preset of that name and delete its scores.
        **facts: text and numbers for the model card, such as `training_data`, `updates`, `seed`,
            `command`, `hardware`, `hours`, `limits` and `licence`.

    Raises:
        MimError: if a preset of that name exists, or `folder` cannot be written in.
    """
    from mim_tf.weights import save_weights  # Listing presets does without Keras.

    folder = os.path.expanduser(folder)
    preset = Preset(name, Path(folder), description, "", int(model.count_params()), facts)
    if preset.folder.resolve() != PACKAGED.resolve() and (PACKAGED / f"{name}.json").exists():
        raise MimError(f"Presets of the package come first: expected another name than {name}.")
    if not replace:
        check_free(preset.path, "name")
        check_free(preset.record, "name")
    check_writable(folder)
    save_weights(model, preset.path, half=half)
    digest = hashlib.sha256(preset.path.read_bytes()).hexdigest()
    write_json(preset.record, dataclasses.replace(preset, sha256=digest).to_json())
    return preset.path


def add_scores(
    folder: str | PathLike, name: str, evaluations: Sequence[str | Path], scored_on: str
) -> None:
    """Add scores to the preset `name` in `folder`, for the list and its model card.

    Args:
        folder: as for `save_preset`.
        name: as for `save_preset`.
        evaluations: folders that `mim evaluate --pretrained_model=NAME` made, one per protocol.
        scored_on: which sequences were scored, in words.

    Raises:
        MimError: for forecasts that were changed, as by `--probability_matching`.
    """
    preset = read_preset(Path(folder) / f"{name}.json")
    scores = dict(preset.scores)
    for each in evaluations:
        if changes := changes_of(Path(each)):
            raise MimError(f"{each}: expected forecasts of the weights alone, got {changes}.")
        found = read_evaluation(each).scores
        scores[found["protocol"]] = {
            "sequences": found["sequences"],
            "sha256": found["data"]["sha256"],
            "mean": found["mean"],
            "intervals": found["intervals"],
            "baselines": {key: part["mean"] for key, part in found.get("baselines", {}).items()},
        }
    changed = dataclasses.replace(preset, scores=scores, scored_on=scored_on)
    write_json(preset.record, changed.to_json())


def listing(preset: Preset) -> str:
    """Return name, size, scores and origin, in a few lines."""
    where = "in the package" if preset.folder == PACKAGED else f"in {preset.folder}"
    lines = [
        f"{preset.name}: {preset.description}",
        f"  {preset.parameters:,} parameters, {_size(preset)}, {where}",
    ]
    for protocol, scores in preset.scores.items():
        listed = [f"{name} {_mean(scores, name)}" for name in _LISTED if name in scores["mean"]]
        lines.append(f"  {protocol}: {', '.join(listed)}")
    if preset.scores:
        lines.append(f"  scored on {preset.scored_on}")
    if preset.facts.get("command"):
        lines.append(f"  trained with {preset.facts['command']}")
    return "\n".join(lines)


def cards(presets: Iterable[Preset]) -> str:
    """Return a page in Markdown with a model card for each preset."""
    return "\n\n".join(["# Model cards", *map(_card, presets)])


def _card(preset):
    rows = [("", "")]
    for name, fact in {**dict.fromkeys(_FACTS, ""), **preset.facts}.items():
        text = f"{fact:,}" if type(fact) is int else str(fact or "not known")
        rows.append((name.replace("_", " "), text))
    rows.append(("parameters", f"{preset.parameters:,}"))
    rows.append(("file", f"`{preset.path.name}`, {_size(preset)}, SHA-256 `{preset.sha256}`"))
    parts = [f"## {preset.name}", markdown_text(preset.description), markdown_table(rows)]
    if preset.scores:
        parts.append(f"Scores with their 95 % intervals, on {markdown_text(preset.scored_on)}:")
    for protocol, scores in preset.scores.items():
        baselines = scores["baselines"]
        rows = [(f"`{protocol}`", "these weights", *(each.replace("_", " ") for each in baselines))]
        for name in scores["mean"]:
            others = [number(each.get(name)) for each in baselines.values()]
            rows.append((f"`{name}`", _mean(scores, name), *others))
        parts.append(markdown_table(rows))
    return "\n\n".join(parts)


def _mean(scores, name):
    mean, interval = number(scores["mean"][name]), scores["intervals"].get(name)
    return f"{mean} [{number(interval[0])}, {number(interval[1])}]" if interval else mean


def _size(preset):
    path = preset.path
    return f"{path.stat().st_size / 1e6:.1f} MB" if path.is_file() else "file missing"
