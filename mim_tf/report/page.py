"""The report as one HTML page."""

import shlex
from pathlib import PurePath

from mim_tf.evaluation.baselines import TITLES, verdict
from mim_tf.evaluation.compare import Comparison
from mim_tf.evaluation.direction import direction, is_better
from mim_tf.evaluation.tables import score_table
from mim_tf.report.charts import line_chart
from mim_tf.report.players import error_map_player, sequence_players
from mim_tf.report.read import Material
from mim_tf.report.template import render_page

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
    header, *rows = score_table(Comparison([evaluation], []))
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
