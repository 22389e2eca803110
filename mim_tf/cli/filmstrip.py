"""Draws a sequence for a paper: truth, each model, its error.

mim filmstrip RUN RUN ... --output=strip.pdf
"""

from absl import flags

from mim_tf.cli.command import Command, import_keras


def main(values: flags.FlagValues, *folders: str) -> None:
    """Draws the figure and says where it is.

    Raises:
        MimError: as `write_film_strip`.
    """
    import_keras()
    from mim_tf.report.film_strip import write_film_strip

    write_film_strip(folders, values.output, values.sequence, values.names)
    print(f"The film strip is {values.output}.")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flags of `mim filmstrip`."""
    flags.DEFINE_string("output", "strip.pdf", "PDF or PNG file to make.", flag_values=values)
    flags.DEFINE_string(
        "sequence",
        "1",
        "Number of a sequence, of the first four; or best, median or worst of the first run.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "names", [], "Names of the models in the figure, such as MIM,ConvLSTM.", flag_values=values
    )


COMMAND = Command(__doc__, main, define_flags, arguments=("RUN...",))
