"""Presets as a list for the terminal and as model cards."""

from collections.abc import Iterable

from mim_tf.presets.preset import PACKAGED, Preset, Scores

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
