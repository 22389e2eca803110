"""Says which of several runs is better, and whether that is certain.

mim compare RUN RUN ...
"""

from absl import flags

from mim_tf.cli.command import Command
from mim_tf.cli.start import import_keras
from mim_tf.errors import MimError


def main(values: flags.FlagValues, *folders: str) -> None:
    """Prints a table of the scores with their intervals, and a sentence for each later folder.

    Raises:
        MimError: as `compare`, or for a score that they do not have.
    """
    import_keras()
    from mim_tf.evaluation.compare import compare
    from mim_tf.evaluation.tables import format_comparison

    comparison = compare(folders)
    if values.score not in comparison.scores:
        raise MimError(
            f"--score must be one of {', '.join(comparison.scores)}; received {values.score!r}."
        )
    print(format_comparison(comparison, values.format))
    if values.format == "md":
        print("\n" + "\n".join(comparison.conclusion(values.score)))


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flags of `mim compare`."""
    flags.DEFINE_enum(
        "format", "md", ["md", "latex", "html"], "Form of the table.", flag_values=values
    )
    flags.DEFINE_string("score", "mse", "Score to decide by.", flag_values=values)


COMMAND = Command(__doc__, main, define_flags, arguments=("RUN", "RUN..."))
