"""What the players of a page show: sequences, and the error map by lead time."""

import dataclasses
import warnings
from collections.abc import Callable, Mapping

import numpy as np

from mim_tf.report.charts import (
    DIFFERENCE_MAP,
    ERROR_MAP,
    Field,
    colored,
    difference,
    difference_limit,
    field_of,
    least_reduction,
    shown_channels,
    sprite,
    visible,
)
from mim_tf.report.read import Material

BUDGET = 8_000_000
"""Characters of all pictures together; a page has at most 10 MB."""

ORDER = ("best", "median", "worst", "first")


@dataclasses.dataclass(frozen=True)
class Bar:
    """A colour bar: its picture, and the words at its ends."""

    picture: str
    low: str
    high: str


@dataclasses.dataclass(frozen=True)
class Pane:
    """A picture of `frames` frames side by side; `bar` says what its colours mean."""

    title: str
    picture: str
    frames: int
    bar: Bar | None = None


@dataclasses.dataclass(frozen=True)
class Player:
    """Panes that go through time together.

    Attributes:
        title: what is shown.
        note: in smaller letters after it.
        panes: side by side; those of one frame stand still.
        frames: how many there are.
        context: how many of these come first and are given to the network; None of data alone.
        shape: height and width.
    """

    title: str
    note: str
    panes: list[Pane]
    frames: int
    context: int | None
    shape: tuple[int, int]


def sequence_players(material: Material) -> list[Player]:
    """The best, the median, the worst and the first four sequences, each of them once."""
    squares = material.evaluation.per_sequence["mse"]
    field = field_of(material.evaluation.scores["data"])
    samples = shown_samples(material.samples, field)
    limit = difference_limit(future(samples), samples["forecast"])
    index = samples["index"]
    shown = f", {field.name} shown" if field.name else ""

    def draw(reduction):
        return [
            sequence_player(
                title,
                f"MSE {squares[index[position]]:.4g}{shown}",
                samples["truth"][position],
                {"prediction": samples["forecast"][position]},
                field,
                limit,
                reduction,
            )
            for position, title in _kinds(samples).items()
        ]

    return within_budget(draw, *samples["truth"].shape[1:4:2])


def within_budget(
    draw: Callable[[int], list[Player]], frames: int, width: int, budget: int = BUDGET
) -> list[Player]:
    """Players drawn with the least reduction of which all pictures have at most `budget`.

    Args:
        draw: makes them with height and width divided by its argument.
        frames, width: of a sequence.
        budget: characters.
    """
    reduction = least_reduction(frames, width)
    while True:
        players = draw(reduction)
        if sum(len(pane.picture) for each in players for pane in each.panes) <= budget:
            return players
        reduction *= 2


def sequence_player(
    title: str,
    note: str,
    truth: np.ndarray,
    forecasts: Mapping[str, np.ndarray],
    field: Field,
    limit: float,
    reduction: int,
) -> Player:
    """Truth, then all forecasts, then their errors.

    Args:
        title, note: of the player.
        truth: `[T, H, W, C]`, uint8, masked where a value is missing.
        forecasts: name -> `[horizon, H, W, C]`, uint8.
        field: what the levels stand for.
        limit: where the colours of errors end.
        reduction: as for `sprite`.
    """
    frames, largest = len(truth), limit * field.size
    scale = field_bar(field)
    error_bar = _bar(DIFFERENCE_MAP, -largest, largest, field.unit, sign="+")
    panes = [Pane("truth", sprite(visible(truth, field), reduction), frames, scale)]
    errors = []
    for name, forecast in forecasts.items():
        context = frames - len(forecast)
        shown = np.ma.concatenate([truth[:context], forecast])
        colors = colored(difference(truth, shown), -limit, limit, DIFFERENCE_MAP)
        panes.append(Pane(name, sprite(visible(shown, field), reduction), frames, scale))
        label = "error" if len(forecasts) == 1 else f"error of {name}"
        errors.append(Pane(label, sprite(colors, reduction), frames, error_bar))
    return Player(title, note, [*panes, *errors], frames, context, truth.shape[1:3])


def error_map_player(material: Material) -> Player:
    """The root mean squared error at each pixel, by lead time and over all of them."""
    scores, squares = material.evaluation.scores, material.samples["error_map"]
    field = field_of(scores["data"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a pixel that is never known
        overall = np.nanmean(squares, axis=0, keepdims=True)
    high = float(np.nan_to_num(np.sqrt(squares)).max())
    # A mean over channels that have units of their own has none.
    size, unit = (1, "of the range") if field.name else (field.size, field.unit)
    bar = _bar(ERROR_MAP, 0, high * size, unit)
    reduction = least_reduction(*squares.shape[::2])
    by_time, mean = (
        sprite(colored(np.sqrt(each), 0, high, ERROR_MAP), reduction) for each in (squares, overall)
    )
    return Player(
        "Root mean squared error at each pixel",
        f"of {scores['sequences']} sequences",
        [
            Pane("by lead time", by_time, len(squares)),
            Pane("over all lead times", mean, 1, bar),
        ],
        len(squares),
        0,
        squares.shape[1:],
    )


def _kinds(samples):
    """Position -> title, in the order of the page; a sequence of several kinds stands once."""
    titles: dict[int, tuple[int, list[str]]] = {}
    ordered = sorted(enumerate(samples["kind"]), key=lambda pair: ORDER.index(str(pair[1])))
    for position, kind in ordered:
        index = int(samples["index"][position])
        titles.setdefault(index, (position, []))[1].append(str(kind))
    return {position: _title(kinds, index) for index, (position, kinds) in titles.items()}


def _title(kinds, index):
    named = [kind for kind in kinds if kind != "first"]
    return (
        f"{' and '.join(named).capitalize()}: sequence {index + 1}"
        if named
        else (f"Sequence {index + 1}")
    )


def shown_samples(samples: dict[str, np.ndarray], field: Field) -> dict[str, np.ndarray]:
    """The arrays of `samples.npz`, of the channels that pictures show."""
    parts = ("truth", "forecast")
    return samples | {part: shown_channels(samples[part], field) for part in parts}


def future(samples: dict[str, np.ndarray]) -> np.ndarray:
    """The frames that are forecast, `[N, horizon, H, W, C]`, of the arrays of `samples.npz`."""
    return samples["truth"][:, -samples["forecast"].shape[1] :]


def field_bar(field: Field) -> Bar | None:
    """The colour bar of physical values; pictures need none."""
    return _bar(field.colors, field.low, field.high, field.unit) if field.unit else None


def _bar(colors, low, high, unit, sign=""):
    """With the unit at one end only, for want of space."""
    ramp = colored(np.linspace(0, 1, 128)[None, None], 0, 1, colors)
    return Bar(sprite(ramp), _number(low, sign), f"{_number(high, sign)} {unit}".strip())


def _number(value, sign):
    digits = ".0f" if abs(value) >= 10 else ".2g"
    return f"{value:{sign}{digits}}".replace("-", "\N{MINUS SIGN}")
