"""The page of a comparison: which run is better, whether that is certain, and what each cost."""

import dataclasses
import datetime
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from mim_tf.errors import MimError
from mim_tf.evaluation.baselines import TITLES, verdict
from mim_tf.evaluation.compare import Comparison, Difference, compare
from mim_tf.evaluation.direction import direction, is_better
from mim_tf.evaluation.tables import difference_table, score_table
from mim_tf.report.charts import Chart, line_chart
from mim_tf.report.origin import Origin, find_origin
from mim_tf.report.page import ARROWS, command_line
from mim_tf.report.side_by_side import read_pictures
from mim_tf.report.template import render_page

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
        style: that of the better run; None where it is not certain.
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
        certain=all(each.certain for each in differences),
        in_pairs=[each.sentence for each in differences] if len(titles) > 2 else [],
        against_baselines=verdict(best.scores, score, best.name) if baselines else "",
        beats_all=all(
            is_better(score, best.scores["mean"][score], part["mean"][score])
            for part in baselines.values()
        ),
        scores=scores,
        titles=titles,
        score_rows=_score_rows(comparison),
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


def _score_rows(comparison: Comparison) -> list[list[tuple[str, bool]]]:
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
    style = titles.index(each.better) if each.better and each.certain else None
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
