"""Pages of HTML, each in one file: the report of a run, and the comparison of several runs.

Templates of Jinja2 lay the pages out; here stands what the templates show. A page is written
atomically, and loads nothing from the internet.
"""

import datetime
import io
import math
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath

import jinja2
from absl import logging
from markupsafe import Markup

from mim_tf.errors import MimError
from mim_tf.evaluation.baselines import TITLES, verdict
from mim_tf.evaluation.compare import Comparison, Difference, compare, difference_table, score_table
from mim_tf.evaluation.errors import direction, is_better
from mim_tf.evaluation.stored import Evaluation, basis, find_evaluation
from mim_tf.report import film_strip
from mim_tf.report.charts import Chart, line_chart
from mim_tf.report.players import (
    BUDGET,
    Player,
    error_map_player,
    field_of,
    png_uri,
    sequence_players,
)
from mim_tf.report.read import (
    SAMPLES_FILE,
    Material,
    Origin,
    find_origin,
    read_material,
    read_samples,
    shared_indices,
)
from mim_tf.storage.paths import check_free, open_file, written_whole

REPORT = "report.html"
PAGE_SUFFIXES = (".html", ".htm")
MODEL = "the model"
SPECTRA = {"prediction": MODEL, "truth": "the truth"}
ARROWS = {1: "\N{UPWARDS ARROW}", -1: "\N{DOWNWARDS ARROW}", 0: ""}
KINDS = ("best", "median", "worst", "first")
MOST_RUNS = 6
"""Runs on a page of a comparison; with more, the lines of a chart cannot be told apart."""

BASELINE_STYLES = (6, 7, 8)
STRIP_DPI = 200
STRIP_BUDGET = 1_500_000
"""Characters of the pictures of a page that are left for the film strip."""

COSTS = ["run", "network", "iterations", "updates", "time", "processor time"]
FOLDERS = ("save_dir", "gen_frm_dir")
UNKNOWN = "-"


def write_report(folder: str | Path, output: str | Path | None = None) -> Path:
    """Write the report of a run or an evaluation, and return its path.

    Args:
        folder: folder of the run or the evaluation.
        output: file to make, by default `report.html` in the folder. An earlier report is
            replaced.

    Raises:
        MimError: if there are no scores, a file is corrupted, or `output` is another file.
    """
    path = Path(output or Path(folder) / REPORT)
    if os.path.lexists(path) and not _is_report(path):
        raise MimError(f"{path} exists and is not a report of mim. Give another --output.")
    material = read_material(folder)
    log = material.log
    evaluation = Evaluation(MODEL, material.evaluation.scores, material.evaluation.per_sequence)
    scores, field = evaluation.scores, field_of(evaluation.scores["data"])
    comparison = Comparison([evaluation])
    titles = [MODEL, *map(_title, scores["baselines"])]
    name = Path(folder).resolve().name
    page = render_page(
        "report",
        title=f"{name}: report",
        name=name,
        verdict=verdict(scores),
        beats_all=_beats_baselines(evaluation, "mse"),
        scores=scores,
        basis=basis(scores),
        iteration=material.iteration,
        record=material.record,
        command=material.record and command_line(material.record["command"]),
        score_rows=_score_rows(comparison),
        lead_times=_lead_time_charts(comparison),
        numbers=_numbers(scores),
        spectra=_spectrum_charts(scores.get("spectra")),
        spectrum_titles=SPECTRA.values(),
        loss=log.get("loss")
        and line_chart("training loss", "iteration", {"loss": (log["iteration"], log["loss"])}),
        validations=_validation_charts(material.validations),
        line_titles=titles,
        players=sequence_players(
            {"prediction": material.samples}, field, _captions(material, field)
        ),
        error_map=error_map_player(material.samples.error_map, field, scores["sequences"]),
    )
    with written_whole(path, ".html", replace=True) as part:
        part.write_text(page, encoding="utf-8")
    return path


def write_report_or_warn(folder: str | Path) -> None:
    """Write a report; log a warning if that fails, because the work before it is done."""
    try:
        write_report(folder)
    except Exception as error:
        logging.warning(
            "The report could not be written: %s `mim report %s` tries again.", error, folder
        )


def write_comparison(
    folders: Sequence[str | Path], output: str | Path, score: str, names: Sequence[str] = ()
) -> str:
    """Write a page about runs or evaluations on the same test set, and return its first sentence.

    Args:
        folders: two or more folders.
        output: file to make, in .html.
        score: score that decides which run is the best.
        names: names of the runs; by default the parts in which their paths differ.

    Raises:
        MimError: as `compare` and `Comparison.check_score`; for more than `MOST_RUNS` runs; or if
            `output` exists or does not end in .html.
    """
    check_page_path(output)
    if len(folders) > MOST_RUNS:
        raise MimError(
            f"Expected at most {MOST_RUNS} runs on a page, got {len(folders)}. Leave some out, or "
            "leave --output out for a table."
        )
    comparison = compare(folders, names)
    comparison.check_score(score)
    sentence = comparison.verdict(score)
    evaluations = comparison.evaluations
    titles = [each.name for each in evaluations]
    best, differences = comparison.best(score), comparison.against_best(score)
    scores = evaluations[0].scores
    baselines = scores.get("baselines", {})
    styles = [*range(len(titles)), *BASELINE_STYLES[: len(baselines)]]
    origins = [find_origin(folder) for folder in folders]
    players, strip = _pictures(evaluations, folders)
    page = render_page(
        "comparison",
        title=f"{', '.join(titles)}: comparison",
        verdict=sentence,
        excludes_zero=all(each.excludes_zero for each in differences),
        in_pairs=[each.sentence for each in differences] if len(titles) > 2 else [],
        against_baselines=verdict(best.scores, score, best.name) if baselines else "",
        beats_all=_beats_baselines(best, score),
        scores=scores,
        basis=basis(scores),
        titles=titles,
        score_rows=_score_rows(comparison),
        difference_rows=_difference_rows(comparison, titles),
        lead_times=_lead_time_charts(comparison, styles),
        line_titles=[*titles, *map(_title, baselines)],
        styles=styles,
        players=players,
        strip=strip,
        costs=[COSTS, *([name, *_cost(each)] for name, each in zip(titles, origins, strict=True))],
        settings=_different_settings(titles, origins),
        commands=[each and command_line(each.record["command"]) for each in origins],
        own_command=command_line(sys.argv),
    )
    write_page(output, page)
    return sentence


def check_page_path(output: str | Path) -> None:
    """Raise `MimError` if no page can be written to `output`."""
    if Path(output).suffix.lower() not in PAGE_SUFFIXES:
        raise MimError(f"Expected an --output in .html, got {output}.")
    check_free(output, "--output")


def write_page(output: str | Path, page: str) -> None:
    """Write a page to `output`, where no file exists yet."""
    with written_whole(output, ".html", other="--output") as part:
        part.write_text(page, encoding="utf-8")


def render_page(kind: str, title: str, **values: object) -> str:
    """Return the page that the template `KIND.html.j2` makes of `values`.

    Args:
        kind: report, comparison or data.
        title: title of the window.
        values: values of the names in the template; a missing one is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mim_tf.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template(f"{kind}.html.j2")
    return template.render(mark=_mark(kind), title=title, **values)


def command_line(arguments: list[str]) -> str:
    """Return what a user types for the arguments in `sys.argv`."""
    program, *others = arguments
    path = PurePath(program)
    if path.name == "__main__.py":
        first = f"python -m {path.parent.name}"
    elif path.suffix == ".py":
        first = f"python {shlex.quote(program)}"
    else:
        first = shlex.quote(path.name)
    return " ".join([first, shlex.join(others)]).strip()


def _mark(kind):
    """Return what only pages of `kind` have at their beginning."""
    return Markup('<meta name="generator" content="mim_tf {}">').format(kind)


def _is_report(path):
    try:
        with open_file(path) as file:
            return _mark("report") in file.read(1000).decode("utf-8", "replace")
    except MimError:
        return False


def _title(name):
    return TITLES.get(name, name)


def _beats_baselines(evaluation, score):
    return all(
        is_better(score, evaluation.scores["mean"][score], part["mean"][score])
        for part in evaluation.scores.get("baselines", {}).values()
    )


def _score_rows(comparison: Comparison) -> list[list[str]]:
    """Return a header and a row for each score, with the best evaluation in bold."""
    (first, *titles), *rows = score_table(comparison)
    table = [[first, *map(_title, titles)]]
    for score, (_, *cells) in zip(comparison.scores, rows, strict=True):
        sign = direction(score)
        means = [each.scores["mean"][score] for each in comparison.evaluations]
        ranks = [-math.inf if not sign or mean is None else sign * mean for mean in means]
        # An interval stays on one line; a cell may break before it.
        cells = [cell.replace(", ", ",\N{NO-BREAK SPACE}") for cell in cells]
        for number, rank in enumerate(ranks):
            if rank == max(ranks) > -math.inf:
                cells[number] = Markup("<b>{}</b>").format(cells[number])
        table.append([f"{score}\N{NO-BREAK SPACE}{ARROWS[sign]}", *cells])
    return table


def _numbers(scores):
    """Return a header and a row for each lead time."""
    columns = scores["per_frame"].values()
    rows = [
        [str(number), *(UNKNOWN if value is None else f"{value:.4g}" for value in values)]
        for number, values in enumerate(zip(*columns, strict=True), 1)
    ]
    return [["lead time", *scores["per_frame"]], *rows]


def _difference_rows(comparison: Comparison, names: list[str]) -> list[list[str]]:
    """Return a header and a row for each difference; bars of one score have one scale."""
    limits: dict[str, float] = {}
    for each in comparison.differences:
        ends = map(abs, [each.mean or 0, *(each.interval or [])])
        limits[each.score] = max(limits.get(each.score, 0), *ends)
    header, *rows = difference_table(comparison)
    bars = [_interval_bar(each, limits[each.score], names) for each in comparison.differences]
    return [
        [*cells[:3], bar, *cells[3:]]
        for cells, bar in zip([header, *rows], ["below 0, above 0", *bars], strict=True)
    ]


def _interval_bar(each: Difference, limit: float, names: list[str]) -> str:
    """Return a bar around zero, in the colour of the better run if the interval excludes 0."""
    if each.mean is None or not limit:
        return ""
    low, high = each.interval or (each.mean, each.mean)
    low, mean, high = (round(50 + 46 * value / limit, 1) for value in (low, each.mean, high))
    style = f" style-{names.index(each.better)}" if each.better and each.excludes_zero else ""
    return Markup(
        '<svg class="interval{}" viewBox="0 0 100 16" aria-hidden="true"><path class="grid" '
        'd="M50 0V16"/><path class="span" d="M{} 8H{}"/><circle cx="{}" cy="8" r="3"/></svg>'
    ).format(style, low, high, mean)


def _lead_time_charts(comparison: Comparison, styles: Sequence[int] | None = None) -> list[Chart]:
    return [
        line_chart(
            score,
            "lead time in frames",
            {
                _title(name): (range(1, len(ys) + 1), ys)
                for name, ys in comparison.curves(score).items()
            },
            styles,
        )
        for score in comparison.scores
    ]


def _spectrum_charts(spectra: dict | None) -> list[Chart]:
    """Return the spectra at the first, the middle and the last lead time; none if not recorded."""
    if not spectra:
        return []
    last = len(spectra["truth"]) - 1
    return [
        line_chart(
            f"lead time {number + 1}",
            "wavelength in pixels",
            {
                title: (spectra["wavelength"], spectra[name][number])
                for name, title in SPECTRA.items()
            },
            logarithmic=True,
        )
        for number in sorted({0, last // 2, last})
    ]


def _validation_charts(validations: dict[int, dict]) -> list[Chart]:
    """Return a chart for each score, over the evaluations of a run."""
    if len(validations) < 2:
        return []
    *_, last = validations.values()

    def curve(name, score):
        parts = [each["baselines"][name] if name else each for each in validations.values()]
        return list(validations), [part["mean"][score] for part in parts]

    names = {MODEL: "", **{_title(name): name for name in last["baselines"]}}
    return [
        line_chart(score, "iteration", {title: curve(name, score) for title, name in names.items()})
        for score in last["mean"]
    ]


def _captions(material: Material, field) -> dict[int, tuple[str, str]]:
    """Return title and note by index: the best, median and worst sequence, then the first."""
    squares = material.evaluation.per_sequence["mse"]
    kinds: dict[int, list[str]] = {}
    pairs = zip(material.samples.kind, material.samples.index, strict=True)
    for kind, index in sorted(pairs, key=lambda pair: KINDS.index(str(pair[0]))):
        kinds.setdefault(int(index), []).append(str(kind))
    captions = {}
    for index, names in kinds.items():
        named = " and ".join(name for name in names if name != "first")
        title = f"{named}: sequence {index + 1}" if named else f"sequence {index + 1}"
        channel = f", {field.name} shown" if field.name else ""
        captions[index] = (title[0].upper() + title[1:], f"MSE {squares[index]:.4g}{channel}")
    return captions


def _pictures(
    evaluations: Sequence[Evaluation], folders: Sequence[str | Path]
) -> tuple[list[Player], str]:
    """Return players of the sequences that all runs kept, and a film strip of the first.

    Both are empty if a run kept no pictures, or only of other sequences.
    """
    paths = [find_evaluation(folder) for folder in folders]
    if not all(os.path.lexists(path / SAMPLES_FILE) for path in paths):
        return [], ""
    parts = [read_samples(path) for path in paths]
    shared = shared_indices(parts)
    if not shared:
        return [], ""
    samples = dict(zip([each.name for each in evaluations], parts, strict=True))
    field = field_of(evaluations[0].scores["data"])
    captions = {}
    for index in shared:
        errors = (f"{each.name} {each.per_sequence['mse'][index]:.4g}" for each in evaluations)
        captions[index] = (f"Sequence {index + 1}", f"MSE: {', '.join(errors)}")
    players = sequence_players(samples, field, captions, BUDGET - STRIP_BUDGET)
    picture = io.BytesIO()
    film_strip.draw(samples, field, shared[0]).savefig(picture, format="png", dpi=STRIP_DPI)
    return players, png_uri(picture)


def _cost(origin: Origin | None) -> list[str]:
    if origin is None:
        return [UNKNOWN] * 5
    times = [
        UNKNOWN if seconds is None else str(datetime.timedelta(seconds=round(seconds)))
        for seconds in (origin.seconds, origin.processor_seconds)
    ]
    network = origin.record["model"]["model_name"]
    return [network, f"{origin.iteration:,}", f"{origin.updates:,}", *times]


def _different_settings(names: list[str], origins: list[Origin | None]) -> list[list[str]]:
    """Return a header and a row for each setting that differs; empty if none does."""
    parts = [
        {
            (part, name): value
            for part in ("model", "data", "training")
            for name, value in (origin.record[part].items() if origin else ())
            if name not in FOLDERS
        }
        for origin in origins
    ]
    known = [part for part in parts if part]
    keys = dict.fromkeys(key for part in known for key in part)
    rows = [
        [key[1], *(str(part.get(key, UNKNOWN)) for part in parts)]
        for key in keys
        if any(part.get(key) != known[0].get(key) for part in known)
    ]
    return [["setting", *names], *rows] if rows else []
