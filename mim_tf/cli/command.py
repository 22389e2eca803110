"""What all commands have in common: flags, help and errors in one sentence."""

import contextlib
import dataclasses
import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import flags as absl_flags
from absl import logging

from mim_tf.cli import flags
from mim_tf.cli.flags import UsageError, parse
from mim_tf.cli.help import help_text
from mim_tf.config.fields import flag_fields
from mim_tf.errors import MimError
from mim_tf.runtime.backend import check_backend
from mim_tf.runtime.memory import in_words, is_out_of_memory


@dataclasses.dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        doc: what it does; the first line is its entry in the list of commands.
        main: runs it, given the values of the flags and then one string for each of `arguments`.
        define_flags: adds the flags of its own.
        configs: configurations whose fields are flags too.
        required: names of flags that have to be given.
        arguments: names of the arguments that are not flags, such as PATH; "RUN...": one or more.
        defaults: flag -> default, where it is another here than in the configuration.
    """

    doc: str
    main: Callable[..., None]
    define_flags: Callable[[absl_flags.FlagValues], None]
    configs: tuple[type, ...] = ()
    required: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    defaults: dict[str, object] = dataclasses.field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of `doc`."""
        return self.doc.strip().splitlines()[0]

    def flag_groups(self) -> tuple[absl_flags.FlagValues, dict[str, list[str]]]:
        """Flags that are not parsed yet, and their names by group, those of its own first."""
        values = absl_flags.FlagValues()
        self.define_flags(values)
        groups = {"Flags of its own": list(values)}
        flags.define_config_flags(*self.configs, values=values)
        for config in self.configs:
            groups[flags.GROUPS[config]] = [field.name for field in flag_fields(config)]
        for name, default in self.defaults.items():
            values.set_default(name, default)
        return values, groups

    def start(self, values: absl_flags.FlagValues, arguments: Sequence[str] = ()) -> None:
        """Runs `main`.

        Raises:
            UsageError: if a required flag or an argument is missing, or there are too many.
        """
        missing = [f"--{name}=..." for name in self.required if values[name].value in (None, "")]
        if missing:
            raise UsageError(f"{' and '.join(missing)} must be given.")
        is_open = bool(self.arguments) and self.arguments[-1].endswith("...")
        surplus = len(arguments) - len(self.arguments)
        if surplus < 0 or (surplus and not is_open):
            expected = " ".join(self.arguments) or "only flags, --name=value"
            raise UsageError(f"Expected {expected}; received {' '.join(arguments) or 'nothing'}.")
        self.main(values, *arguments)


def run(command: Command, arguments: Sequence[str], program: str) -> None:
    """Runs `command` as `program`, or prints its help.

    Raises:
        SystemExit: with status 1 for a `MimError`, 2 for a command line that is wrong and 130 for
            Ctrl-C.
    """
    # Without these, absl writes that it logs before flags are parsed; its flags are not ours.
    absl_flags.FLAGS.mark_as_parsed()
    logging.use_absl_handler()
    try:
        values, groups = command.flag_groups()
        if {"--help", "-help", "-h"} & set(arguments):
            print(help_text(command, program, values, groups))
        else:
            command.start(values, parse(values, arguments))
        sys.stdout.flush()
    except UsageError as error:
        leave(f"{error} `{program} --help` lists its flags.", status=2)
    except MimError as error:
        leave(str(error), status=1)
    except BrokenPipeError:
        # `mim presets | head`: the reader has all it wants. Python would complain once more when
        # it flushes the closed pipe at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # disks that are full or gone, folders that may not be written
        leave(f"{_words(error)}. Mend that or choose another place, and try again.", status=1)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        leave(f"{in_words(error)} Lower --batch_size first, then the sizes.", status=1)


def _words(error):
    reason = (error.strerror or str(error) or type(error).__name__).splitlines()[0]
    return f"{error.filename}: {reason}" if error.filename else reason


def leave(message: str, status: int) -> NoReturn:
    """Ends the process with one sentence on stderr."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)


# MERGED: How Keras and its backend start in a command.


def share_cores() -> None:
    """Gives each operation of TensorFlow half of the cores; call it before `import_keras`.

    The convolutions of a step are many and small: two at a time on half of the cores each beat one
    at a time on all of them. benchmarks/README.md has the figures.
    """
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))


def define_network_flag(values: absl_flags.FlagValues) -> None:
    """Defines --network_module, for `import_keras`."""
    absl_flags.DEFINE_string(
        "network_module",
        "",
        "Python file to run first, which registers a network of your own: docs/networks.md.",
        flag_values=values,
    )


def import_keras(network_module: str = "") -> None:
    """Imports Keras and its backend, and networks of one's own.

    Args:
        network_module: Python file that registers them; empty: there is none.

    Raises:
        BackendError: if the backend is missing, or mim_tf does not compute with it.
        MimError: if the file is missing, fails or registers no network.
    """
    if "keras" not in sys.modules:
        with _interruptible():
            keras = importlib.import_module("keras")
        check_backend(keras.backend.backend())
    if network_module:
        from mim_tf.models.registry import import_network_module

        import_network_module(network_module)


@contextlib.contextmanager
def _interruptible():
    """Ends the process at Ctrl-C; modules in C++ would turn it into an ImportError with a trace."""
    stderr = os.dup(2)  # elsewhere while Keras is imported, see mim_tf/runtime/backend.py

    def end(*_):
        os.write(stderr, b"\ninterrupted\n")
        os._exit(128 + signal.SIGINT)

    handler = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        os.close(stderr)
