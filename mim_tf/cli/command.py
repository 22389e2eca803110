"""What the programs of the package have in common."""

import functools
import sys

from mim_tf.errors import MimError


def command(program):
    """Makes the `main` of an absl program from a function without arguments.

    A `MimError` ends it with one sentence and status 1, and so does an argument that is no flag.
    """

    @functools.wraps(program)
    def main(argv):
        try:
            if argv[1:]:
                raise MimError(f"Every argument is a flag, --name=value; received {argv[1:]}.")
            program()
        except MimError as error:
            sys.exit(f"error: {error}")

    return main
