"""`mim report`, `mim compare` and `mim filmstrip`: what runs found, for readers."""

import dataclasses

from absl import flags

from mim_tf.cli.command import Command
from mim_tf.config.fields import field
from mim_tf.errors import MimError


@dataclasses.dataclass
class _Report:
    output: str = field("", "HTML file to make; by default report.html in RUN.")


def _report(values: flags.FlagValues, folder: str) -> None:
    from mim_tf.report.pages import write_report

    print(f"The report is {write_report(folder, values.output)}.")


REPORT = Command(
    "Writes the page of a run or evaluation: scores, curves, sequences.\n\nmim report RUN",
    _report,
    _Report,
    arguments=("RUN",),
)


@dataclasses.dataclass
class _Compare:
    output: str = field("", "HTML file to make: scores, curves, pictures and costs.")
    format: str = field(
        "md", "Form of the table; latex needs booktabs.", choices=("md", "latex", "html")
    )
    score: str = field("mse", "Score to decide by.")
    scores: tuple[str, ...] = field((), "Scores of the table, comma separated; empty: all.")
    by_lead_time: str = field("", "Score to show at each lead time instead of the table.")
    names: tuple[str, ...] = field((), "Names of the runs, such as MIM,ConvLSTM.")


def _compare(values: flags.FlagValues, *folders: str) -> None:
    if values.output:
        if of_tables := [n for n in ("format", "scores", "by_lead_time") if values[n].present]:
            raise MimError(f"--{of_tables[0]} is for the table: leave it or --output out.")
        from mim_tf.report.pages import write_comparison

        print(write_comparison(folders, values.output, values.score, values.names))
        print(f"The page is {values.output}.")
        return
    from mim_tf.evaluation.baselines import verdict
    from mim_tf.report import tables
    from mim_tf.report.methods import compare_methods, notes

    comparison = compare_methods(folders, values.names)
    comparison.check_score(values.score)
    if values.by_lead_time:
        shown = [tables.lead_time_table(comparison, values.by_lead_time)]
    else:
        shown = tables.score_tables(comparison, values.scores)
        if len(comparison.evaluations) > 1:
            shown.append(tables.difference_table(comparison, values.scores))
    words = [*comparison.conclusion(values.score), *notes(comparison)]
    if len(comparison.evaluations) == 1 and comparison.baselines:
        only = comparison.evaluations[0]
        words.insert(0, verdict(only.scores, values.score, only.name))
    print(tables.format_tables(shown, values.format, words))


COMPARE = Command(
    "Makes a table of runs and baselines, and says which run is better.\n\n"
    "mim compare RUN --format=latex\n"
    "mim compare RUN RUN ... --output=page.html",
    _compare,
    _Compare,
    arguments=("RUN...",),
)


@dataclasses.dataclass
class _Filmstrip:
    output: str = field("strip.pdf", "PDF or PNG file to make.")
    sequence: str = field("1", "Sequence 1 to 4, or best, median or worst of the first run.")
    names: tuple[str, ...] = field((), "Names of the models, such as MIM,ConvLSTM.")


def _filmstrip(values: flags.FlagValues, *folders: str) -> None:
    from mim_tf.report.film_strip import write_film_strip

    write_film_strip(folders, values.output, values.sequence, values.names)
    print(f"The film strip is {values.output}.")


FILMSTRIP = Command(
    "Draws a sequence for a paper: truth, each model, its error.\n\n"
    "mim filmstrip RUN RUN ... --output=strip.pdf",
    _filmstrip,
    _Filmstrip,
    arguments=("RUN...",),
)
