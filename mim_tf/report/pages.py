"""Pages from the templates in Jinja2: all of one style, each in one file."""

import base64
import dataclasses
import datetime
import io
import math
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath

import jinja2

from mim_tf.errors import MimError
from mim_tf.evaluation.baselines import TITLES, verdict
from mim_tf.evaluation.compare import Comparison, Difference, compare, difference_table, score_table
from mim_tf.evaluation.errors import direction, is_better
from mim_tf.evaluation.stored import Evaluation, find_evaluation
from mim_tf.report import charts
from mim_tf.report.charts import Chart, difference_limit, field_of, line_chart
from mim_tf.report.film_strip import draw, make_strip
from mim_tf.report.players import (
    BUDGET,
    Player,
    error_map_player,
    future,
    sequence_player,
    sequence_players,
    shown_samples,
    within_budget,
)
from mim_tf.report.read import SAMPLES_FILE, Material, Origin, find_origin, read_samples


def render_page(kind: str, title: str, **values: object) -> str:
    """The page that `KIND.html.j2` makes of `values`.

    Args:
        kind: report, comparison or data.
        title: of the window.
        values: what the template names; one that is missing is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mim_tf.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template(f"{kind}.html.j2")
    return template.render(kind=kind, title=title, chart_size=charts, **values)


def mark(kind: str) -> str:
    """What every page of `kind` has at its beginning, and no other file."""
    return f'<meta name="generator" content="mim_tf {kind}">'


# MERGED: The report as one HTML page.


MODEL = "the model"
SPECTRUM_TITLES = (MODEL, "the truth")
ARROWS = {1: "\N{UPWARDS ARROW}", -1: "\N{DOWNWARDS ARROW}", 0: ""}


def render(material: Material) -> str:
    """The page of a run or an evaluation."""
    scores = material.evaluation.scores
    name = material.folder.resolve().name
    return render_page(
        "report",
        title=f"{name}: report",
        name=name,
        verdict=verdict(scores),
        beats_all=all(
            is_better("mse", scores["mean"]["mse"], each["mean"]["mse"])
            for each in scores["baselines"].values()
        ),
        scores=scores,
        iteration=material.iteration,
        record=material.record,
        command=material.record and command_line(material.record["command"]),
        score_rows=_score_rows(material.evaluation),
        lead_times=_lead_time_charts(scores),
        spectra=_spectrum_charts(scores),
        spectrum_titles=SPECTRUM_TITLES,
        loss=_loss_chart(material.log),
        validations=_validation_charts(material.validations),
        line_titles=[MODEL, *(TITLES.get(name, name) for name in scores["baselines"])],
        players=sequence_players(material),
        error_map=error_map_player(material),
    )


def command_line(arguments: list[str]) -> str:
    """What a user types for `sys.argv`."""
    program, *others = arguments
    path = PurePath(program)
    if path.name == "__main__.py":
        first = f"python -m {path.parent.name}"
    elif path.suffix == ".py":
        first = f"python {shlex.quote(program)}"
    else:
        first = shlex.quote(path.name)
    return " ".join([first, shlex.join(others)]).strip()


def _score_rows(evaluation):
    """Without a space where a line must not break."""
    header, *rows = score_table(Comparison([evaluation]))
    header = ["score", MODEL, *(TITLES.get(name, name) for name in header[2:])]
    scores = evaluation.scores["mean"]
    return [
        header,
        *(
            [
                f"{score}\N{NO-BREAK SPACE}{ARROWS[direction(score)]}",
                own.replace(", ", ",\N{NO-BREAK SPACE}"),
                *others,
            ]
            for score, (_, own, *others) in zip(scores, rows, strict=True)
        ),
    ]


def _lead_time_charts(scores):
    parts = {MODEL: scores}
    parts |= {TITLES.get(name, name): part for name, part in scores["baselines"].items()}
    return [
        line_chart(
            score,
            "lead time in frames",
            {
                title: (range(1, len(part["per_frame"][score]) + 1), part["per_frame"][score])
                for title, part in parts.items()
            },
        )
        for score in scores["mean"]
    ]


def _spectrum_charts(scores):
    """The spectra at the first, the middle and the last lead time; none in older evaluations."""
    spectra = scores.get("spectra")
    if not spectra:
        return []
    horizon = len(spectra["truth"])
    return [
        line_chart(
            f"lead time {number + 1}",
            "wavelength in pixels",
            {
                title: (spectra["wavelength"], spectra[name][number])
                for title, name in zip(SPECTRUM_TITLES, ("prediction", "truth"), strict=True)
            },
            logarithmic=True,
        )
        for number in sorted({0, (horizon - 1) // 2, horizon - 1})
    ]


def _loss_chart(log):
    if not log.get("loss"):
        return None
    return line_chart("training loss", "iteration", {"loss": (log["iteration"], log["loss"])})


def _validation_charts(validations):
    """One chart a score; a baseline is the same at every evaluation of the same sequences."""
    if len(validations) < 2:
        return []
    *_, last = validations.values()
    return [
        line_chart(
            score,
            "iteration",
            {MODEL: (list(validations), [each["mean"][score] for each in validations.values()])}
            | {
                TITLES.get(name, name): (
                    list(validations),
                    [each["baselines"][name]["mean"][score] for each in validations.values()],
                )
                for name in last["baselines"]
            },
        )
        for score in last["mean"]
    ]


# MERGED: The same sequences by several runs: players, and a film strip.


STRIP_DPI = 200
STRIP_BUDGET = 1_500_000
"""Characters that are left for the film strip."""


def read_pictures(
    evaluations: Sequence[Evaluation], folders: Sequence[str | Path]
) -> tuple[list[Player], str]:
    """Players of the sequences that all kept, and a film strip of the first as a data URI.

    Both are empty where one kept no pictures, or other ones.

    Raises:
        MimError: pictures are damaged.
    """
    paths = [find_evaluation(folder) for folder in folders]
    if not all(os.path.lexists(path / SAMPLES_FILE) for path in paths):
        return [], ""
    field = field_of(evaluations[0].scores["data"])
    samples = [shown_samples(read_samples(path), field) for path in paths]
    shared = sorted(set.intersection(*(set(part["index"].tolist()) for part in samples)))
    if not shared:
        return [], ""
    places = [[part["index"].tolist().index(index) for index in shared] for part in samples]
    limit = max(difference_limit(future(part), part["forecast"]) for part in samples)

    def draw_players(reduction):
        return [
            sequence_player(
                f"Sequence {index + 1}",
                _errors(evaluations, index),
                samples[0]["truth"][places[0][number]],
                {
                    each.name: part["forecast"][place[number]]
                    for each, part, place in zip(evaluations, samples, places, strict=True)
                },
                field,
                limit,
                reduction,
            )
            for number, index in enumerate(shared)
        ]

    shape = samples[0]["truth"].shape
    players = within_budget(draw_players, shape[1], shape[3], BUDGET - STRIP_BUDGET)
    picture = io.BytesIO()
    strip = make_strip(evaluations, samples, shared[0])
    draw(strip).savefig(picture, format="png", dpi=STRIP_DPI)
    return players, f"data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}"


def _errors(evaluations, index):
    values = (f"{each.name} {each.per_sequence['mse'][index]:.4g}" for each in evaluations)
    return f"MSE: {', '.join(values)}"


# MERGED: The page of a comparison: which run is better, and what each cost.


MOST = 6
"""Runs of which the lines of a chart can be told apart."""

BASELINE_STYLES = (6, 7, 8)
FOLDERS = ("save_dir", "gen_frm_dir")
UNKNOWN = "-"


@dataclasses.dataclass(frozen=True)
class IntervalBar:
    """A difference for a picture from 0 to 100, with zero at 50.

    Attributes:
        low, mean, high: places in it.
        style: that of the better run; None where the interval holds 0.
    """

    low: float
    mean: float
    high: float
    style: int | None


def render_comparison(
    folders: Sequence[str | Path], score: str = "mse", names: Sequence[str] = ()
) -> tuple[str, str]:
    """The page of runs or evaluations on the same test set.

    Args:
        folders: two or more of them.
        score: what decides which is the best.
        names: of the runs; by default what differs in the paths.

    Returns:
        The page, and the sentence it begins with.

    Raises:
        MimError: as `compare` and `Comparison.check_score`; or for more than `MOST` runs.
    """
    if len(folders) > MOST:
        raise MimError(
            f"A page shows {MOST} runs at most, the lines of more cannot be told apart; received "
            f"{len(folders)}. Leave some out, or --output: a table holds any number."
        )
    comparison = compare(folders, names)
    comparison.check_score(score)
    titles = [each.name for each in comparison.evaluations]
    best, differences = comparison.best(score), comparison.against_best(score)
    scores = comparison.evaluations[0].scores
    baselines = scores.get("baselines", {})
    origins = [find_origin(folder) for folder in folders]
    styles = [*range(len(titles)), *BASELINE_STYLES[: len(baselines)]]
    players, strip = read_pictures(comparison.evaluations, folders)
    page = render_page(
        "comparison",
        title=f"{', '.join(titles)}: comparison",
        verdict=comparison.verdict(score),
        excludes_zero=all(each.excludes_zero for each in differences),
        in_pairs=[each.sentence for each in differences] if len(titles) > 2 else [],
        against_baselines=verdict(best.scores, score, best.name) if baselines else "",
        beats_all=all(
            is_better(score, best.scores["mean"][score], part["mean"][score])
            for part in baselines.values()
        ),
        scores=scores,
        titles=titles,
        score_rows=_comparison_score_rows(comparison),
        difference_rows=_difference_rows(comparison, titles),
        lead_times=[_lead_time_chart(comparison, each, styles) for each in comparison.scores],
        line_titles=[*titles, *(TITLES.get(name, name) for name in baselines)],
        styles=styles,
        players=players,
        strip=strip,
        costs=[_cost(each) for each in origins],
        settings=_different_settings(origins),
        commands=[each and command_line(each.record["command"]) for each in origins],
        own_command=command_line(sys.argv),
    )
    return page, comparison.verdict(score)


def _comparison_score_rows(comparison: Comparison) -> list[list[tuple[str, bool]]]:
    """Cells, and whether one is the best of the runs; the header first."""
    header, *rows = score_table(comparison)
    titles = [TITLES.get(name, name) for name in header]
    marked = [[(title, False) for title in titles]]
    for score, (_, *cells) in zip(comparison.scores, rows, strict=True):
        sign = direction(score)
        means = [each.scores["mean"][score] for each in comparison.evaluations]
        ranks = [-math.inf if not sign or mean is None else sign * mean for mean in means]
        marks = [rank == max(ranks) > -math.inf for rank in ranks]
        marks += [False] * (len(cells) - len(marks))
        name = f"{score}\N{NO-BREAK SPACE}{ARROWS[sign]}"
        marked.append([(name, False), *zip(cells, marks, strict=True)])
    return marked


def _difference_rows(comparison, titles):
    """Cells of each difference, and its bar; all of one score have one scale."""
    limits: dict[str, float] = {}
    for each in comparison.differences:
        ends = map(abs, [each.mean or 0, *(each.interval or [])])
        limits[each.score] = max(limits.get(each.score, 0), *ends)
    _, *rows = difference_table(comparison)
    return [
        (cells, _interval_bar(each, limits[each.score], titles))
        for cells, each in zip(rows, comparison.differences, strict=True)
    ]


def _interval_bar(each: Difference, limit: float, titles: list[str]) -> IntervalBar | None:
    if each.mean is None or not limit:
        return None
    low, high = each.interval or (each.mean, each.mean)
    low, mean, high = (round(50 + 46 * value / limit, 1) for value in (low, each.mean, high))
    style = titles.index(each.better) if each.better and each.excludes_zero else None
    return IntervalBar(low, mean, high, style)


def _lead_time_chart(comparison, score, styles) -> Chart:
    curves = comparison.curves(score).items()
    series = {TITLES.get(name, name): (range(1, len(ys) + 1), ys) for name, ys in curves}
    return line_chart(score, "lead time in frames", series, styles)


def _cost(origin: Origin | None) -> list[str]:
    if origin is None:
        return [UNKNOWN] * 5
    return [
        origin.record["model"]["model_name"],
        f"{origin.iteration:,}",
        f"{origin.updates:,}",
        *map(_duration, (origin.seconds, origin.processor_seconds)),
    ]


def _duration(seconds):
    if seconds is None:
        return UNKNOWN
    return str(datetime.timedelta(seconds=round(seconds)))


def _different_settings(origins) -> list[list[str]]:
    """Rows of a name and its value in each run, of settings that are not the same in all."""
    parts = [
        {
            f"{part}.{name}": value
            for part in ("model", "data", "training")
            for name, value in (origin.record[part].items() if origin else ())
            if name not in FOLDERS
        }
        for origin in origins
    ]
    known = [part for part in parts if part]
    names = dict.fromkeys(name for part in known for name in part)
    return [
        [name.partition(".")[2], *(str(part.get(name, UNKNOWN)) for part in parts)]
        for name in names
        if any(part.get(name) != known[0].get(name) for part in known)
    ]
