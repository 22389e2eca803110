"""Pages of HTML, each in one file: the report of a run, and the comparison of several runs.

Templates of Jinja2 lay the pages out; here stands what the templates show. A page is written
atomically, and loads nothing from the internet.
"""

import dataclasses
import datetime
import io
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath

import jinja2
from absl import logging
from markupsafe import Markup

from mim_tf.errors import MimError
from mim_tf.evaluation.baselines import unbeaten, verdict, won_and_lost
from mim_tf.evaluation.compare import Comparison
from mim_tf.evaluation.errors import score_title
from mim_tf.evaluation.stored import SAMPLE_KINDS, SAMPLES, Evaluation, read_samples, shared_indices
from mim_tf.report import film_strip, players, tables
from mim_tf.report.charts import Chart, line_chart
from mim_tf.report.methods import compare_methods, notes
from mim_tf.report.read import Material, Origin, find_origin, read_material
from mim_tf.storage.paths import check_free, open_file, written_whole

REPORT = "report.html"
PAGE_SUFFIXES = (".html", ".htm")
MODEL = "The model"
SPECTRA = {"prediction": MODEL, "truth": "The truth"}
MOST_RUNS = 6
"""Runs on a page of a comparison; with more, the lines of a chart cannot be told apart."""

STRIP_DPI = 200
STRIP_BUDGET = 1_500_000
"""Characters of the pictures of a page that are left for the film strip."""

COSTS = ["run", "network", "iterations", "updates", "time", "processor time"]
FOLDERS = ("save_dir", "gen_frm_dir")
UNKNOWN = "-"


def write_report(folder: str | Path, output: str | Path | None = None) -> Path:
    """Write the report of a run or an evaluation, and return its path.

    By default it is `report.html` in the folder. An earlier report is replaced. Raises `MimError`
    if there are no scores, a file is corrupted, or `output` is another file.
    """
    path = Path(output or Path(folder) / REPORT)
    check_page_path(path, replace=True)
    if os.path.lexists(path) and not _is_report(path):
        raise MimError(f"{path} exists and is not a report of mim. Give another --output.")
    material = read_material(folder)
    record, name = material.record, Path(folder).resolve().name
    evaluation = dataclasses.replace(material.evaluation, name=MODEL)
    scores, field = evaluation.scores, players.field_of(evaluation.scores["data"])
    samples, captions = {"forecast": material.samples}, _captions(material, field)
    write_page(
        path,
        "report",
        replace=True,
        title=f"{name}: report",
        name=name,
        verdict=verdict(scores),
        iteration=material.iteration,
        record=record,
        command=record and command_line(record["command"]),
        spectra=_spectrum_charts(scores.get("spectra")),
        spectrum_titles=SPECTRA.values(),
        training=_training_charts(material.log, material.validations),
        sequences=players.sequence_players(samples, field, captions),
        error_map=players.error_map_player(material.samples.error_map, field, scores["sequences"]),
        **_scores(Comparison([evaluation]), "mse", 1),
    )
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

    The score decides which run is the best; the names of the runs are by default the parts in which
    their paths differ.

    Raises `MimError` as `compare` and `Comparison.check_score`; for more than `MOST_RUNS` runs; or
    if `output` exists or does not end in .html.
    """
    check_page_path(output)
    if len(folders) < 2:
        raise MimError(
            "Expected two or more runs for a page, got one. `mim report RUN` writes the page of "
            "one run."
        )
    comparison = compare_methods(folders, names)
    if len(comparison.evaluations) == 1:
        comparison = Comparison(comparison.runs)  # the seeds of one configuration
    if len(comparison.evaluations) > MOST_RUNS:
        raise MimError(
            f"Expected at most {MOST_RUNS} runs on a page, got {len(comparison.evaluations)}. "
            "Leave some out, or leave --output out for a table."
        )
    comparison.check_score(score)
    sentence, best = comparison.verdict(score), comparison.best(score)
    differences, compared = comparison.against_best(score), comparison.differences
    titles = [each.name for each in comparison.evaluations]
    runs = [each.name for each in comparison.runs]
    origins = [find_origin(each.folder) for each in comparison.runs]
    sequences, strip = _pictures(
        [each.seeds[0] if each.seeds else each for each in comparison.evaluations]
    )
    write_page(
        output,
        "comparison",
        title=f"{', '.join(titles)}: comparison",
        verdict=sentence,
        excludes_zero=all(each.excludes_zero for each in differences),
        in_pairs=[each.sentence for each in differences] if len(titles) > 2 else [],
        against_baselines=comparison.baselines and verdict(best.scores, score, best.name),
        titles=titles,
        runs=runs,
        differences=[
            # All bars of one score have one scale.
            (each, max(other.size for other in compared if other.score == each.score), cells)
            for each, cells in zip(compared, tables.difference_table(comparison).rows, strict=True)
        ],
        sequences=sequences,
        strip=strip,
        costs=[COSTS, *([name, *_cost(each)] for name, each in zip(runs, origins, strict=True))],
        settings=_different_settings(runs, origins),
        commands=[each and command_line(each.record["command"]) for each in origins],
        own_command=command_line(sys.argv),
        **_scores(comparison, score, MOST_RUNS),
    )
    return sentence


def check_page_path(output: str | Path, replace: bool = False) -> None:
    """Raise `MimError` if no page can be written to `output`, or `replace` what is there."""
    if Path(output).suffix.lower() not in PAGE_SUFFIXES:
        raise MimError(f"Expected an --output in .html, got {output}.")
    if not replace:
        check_free(output, "--output")


def write_page(output: str | Path, kind: str, replace: bool = False, **values: object) -> None:
    """Write the page that the template `KIND.html.j2` makes of `values`; a missing one is an error.

    An existing file is an error too, unless it is to be replaced.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mim_tf.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(f"{kind}.html.j2").render(mark=_mark(kind), **values)
    with written_whole(output, ".html", "--output", replace) as part:
        # Paths whose bytes are not UTF-8 stand in records and command lines.
        part.write_text(page, encoding="utf-8", errors="backslashreplace")


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


def _scores(comparison: Comparison, score: str, baseline_style: int) -> dict:
    """Return what pages of one run and of several show of scores; styles are of their lines."""
    best = comparison.best(score).scores
    others = range(baseline_style, baseline_style + len(comparison.baselines))
    styles = [*range(len(comparison.evaluations)), *others]
    _, lost = won_and_lost(best)
    is_open = lost or not comparison.baselines
    return {
        "scores": comparison.evaluations[0].scores,
        "notes": notes(comparison),
        "standing": "bad" if unbeaten(best, score) else "" if is_open else "good",
        "score_parts": [
            _score_part(comparison, heading, part, styles)
            for heading, part in tables.by_heading(comparison.scores).items()
        ],
        "line_titles": [name for name, _ in tables.methods(comparison)],
        "styles": styles,
    }


def _score_part(comparison, heading, scores, styles):
    """Return what a page shows of the scores of events at one threshold, or of all others.

    In `rows` is a score a row, in `numbers` for each score a lead time a row; a column is a method.
    """
    names = [name for name, _ in tables.methods(comparison)]
    rows, charts, numbers = [["score", *names]], [], []
    for score in scores:
        title = tables.title_with_arrow(score, threshold=False).replace(" ", "\N{NO-BREAK SPACE}")
        rows.append([title, *tables.score_cells(comparison, score)])
        by_time = tables.lead_time_cells(comparison, score)
        times = range(1, len(by_time) + 1)
        lines = {name: part["per_frame"][score] for name, part in tables.methods(comparison)}
        charts.append(line_chart(score_title(score), "lead time in frames", times, lines, styles))
        cells = [[str(time), *row] for time, row in zip(times, by_time, strict=True)]
        numbers.append([[f"{tables.title_with_arrow(score)}, lead time", *names], *cells])
    return {"heading": heading, "rows": rows, "lead_times": charts, "numbers": numbers}


def _spectrum_charts(spectra: dict | None) -> list[Chart]:
    """Return the spectra at the first, the middle and the last lead time; none if not recorded."""
    if not spectra:
        return []
    x, last, charts = spectra["wavelength"], len(spectra["truth"]) - 1, []
    for time in sorted({0, last // 2, last}):
        lines = {title: spectra[name][time] for name, title in SPECTRA.items()}
        title = f"lead time {time + 1}"
        charts.append(line_chart(title, "wavelength in pixels", x, lines, logarithmic=True))
    return charts


def _training_charts(log: dict[str, list[float]], validations: dict[int, dict]) -> list[Chart]:
    """Return a chart of the loss, and one for each score over the evaluations of a run."""
    charts = []
    if log.get("loss"):
        line = {"loss": log["loss"]}
        charts.append(line_chart("training loss", "iteration", log["iteration"], line))
    if len(validations) < 2:
        return charts
    *_, last = every = list(validations.values())
    parts = {MODEL: every}
    for name in last["baselines"]:
        parts[tables.BASELINES.get(name, name)] = [each["baselines"][name] for each in every]
    for score in last["mean"]:
        lines = {name: [each["mean"][score] for each in part] for name, part in parts.items()}
        charts.append(line_chart(score_title(score), "iteration", list(validations), lines))
    return charts


def _captions(material: Material, field) -> dict[int, tuple[str, str]]:
    """Return title and note by index: the best, median and worst sequence, then the first."""
    squares = material.evaluation.per_sequence["mse"]
    channel = _shown_channel(field, material.samples)
    kinds: dict[int, list[str]] = {}
    pairs = zip(material.samples.kind, material.samples.index, strict=True)
    for kind, index in sorted(pairs, key=lambda pair: SAMPLE_KINDS.index(str(pair[0]))):
        kinds.setdefault(int(index), []).extend([str(kind)] * (kind != "first"))
    captions = {}
    for index, names in kinds.items():
        title = ": ".join(filter(None, [" and ".join(names), f"sequence {index + 1}"]))
        captions[index] = (title[0].upper() + title[1:], f"MSE {squares[index]:.4g}{channel}")
    return captions


def _shown_channel(field, samples):
    """Return which channel is shown, where it is not all: the MSE beside it is that of all."""
    if field.shown(samples.truth).shape[-1] == samples.truth.shape[-1]:
        return ""
    return f", {field.name or 'first channel'} shown"


def _pictures(evaluations: Sequence[Evaluation]) -> tuple[list[players.Player], str]:
    """Return players of the sequences that all runs kept, and a film strip of the first.

    Both are empty if a run kept no pictures, or only of other sequences.
    """
    if not all(os.path.lexists(each.folder / SAMPLES) for each in evaluations):
        return [], ""
    samples = {each.name: read_samples(each.folder) for each in evaluations}
    shared = shared_indices(samples.values())
    if not shared:
        return [], ""
    field = players.field_of(evaluations[0].scores["data"])
    captions, channel = {}, _shown_channel(field, samples[evaluations[0].name])
    for index in shared:
        errors = (f"{each.name} {each.per_sequence['mse'][index]:.4g}" for each in evaluations)
        captions[index] = (f"Sequence {index + 1}", f"MSE: {', '.join(errors)}{channel}")
    budget = players.BUDGET - STRIP_BUDGET
    shown = players.sequence_players(samples, field, captions, budget)
    picture = io.BytesIO()
    film_strip.draw(samples, field, shared[0]).savefig(picture, format="png", dpi=STRIP_DPI)
    return shown, players.png_uri(picture)


def _cost(origin: Origin | None) -> list[str]:
    if origin is None:
        return [UNKNOWN] * 5
    times = [
        UNKNOWN if seconds is None else str(datetime.timedelta(seconds=round(seconds)))
        for seconds in origin.seconds
    ]
    network = origin.record["model"]["model_name"]
    return [network, f"{origin.iteration:,}", f"{origin.updates:,}", *times]


def _different_settings(names: list[str], origins: list[Origin | None]) -> list[list[str]]:
    """Return a header and a row for each setting that differs; empty if none does."""
    parts = [
        {
            (part, name): value
            for part in ("model", "data", "training", "others")
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
