"""Says which of several runs is better, and whether the interval excludes 0.

mim compare RUN RUN ... --output=page.html
"""

from absl import flags

from mim_tf.cli.command import Command, import_keras


def main(values: flags.FlagValues, *folders: str) -> None:
    """Prints a table of the scores and a sentence for each later folder, or writes a page.

    Raises:
        MimError: as `compare`, or for a score that cannot decide.
    """
    import_keras()
    if values.output:
        from mim_tf.report.pages import write_comparison

        print(write_comparison(folders, values.output, values.score, values.names))
        print(f"The page is {values.output}.")
        return
    from mim_tf.evaluation.compare import compare, format_comparison
    from mim_tf.evaluation.stored import basis

    comparison = compare(folders, values.names)
    comparison.check_score(values.score)
    print(format_comparison(comparison, values.format))
    if values.format == "md":
        words = [*comparison.conclusion(values.score), basis(comparison.evaluations[0].scores)]
        print("\n" + "\n".join(words))


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flags of `mim compare`."""
    flags.DEFINE_string(
        "output", "", "HTML file to make: scores, curves, pictures and costs.", flag_values=values
    )
    flags.DEFINE_enum(
        "format", "md", ["md", "latex", "html"], "Form of the table.", flag_values=values
    )
    flags.DEFINE_string("score", "mse", "Score to decide by.", flag_values=values)
    flags.DEFINE_list("names", [], "Names of the runs, such as MIM,ConvLSTM.", flag_values=values)


COMMAND = Command(__doc__, main, define_flags, arguments=("RUN", "RUN..."))
