"""Writes the page of a run or evaluation: scores, curves, sequences.

mim report RUN
"""

from absl import flags

from mim_tf.cli.command import Command, import_keras


def main(values: flags.FlagValues, folder: str) -> None:
    """Writes the page and says where it is.

    Raises:
        MimError: as `write_report`.
    """
    import_keras()
    from mim_tf.report.pages import write_report

    print(f"The report is {write_report(folder, values.output)}.")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flag of `mim report`."""
    flags.DEFINE_string(
        "output", "", "HTML file to make; by default report.html in RUN.", flag_values=values
    )


COMMAND = Command(__doc__, main, define_flags, arguments=("RUN",))
