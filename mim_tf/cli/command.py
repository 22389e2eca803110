"""Shared parts of all commands: flags, help, errors on one line, and the import of Keras."""

import contextlib
import dataclasses
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from absl import flags as absl_flags
from absl import logging

from mim_tf.cli.flags import UsageError, define_config_flags, parse
from mim_tf.config.fields import field
from mim_tf.errors import MimError
from mim_tf.runtime.backend import backend_errors, check_backend
from mim_tf.runtime.memory import in_words, is_out_of_memory
from mim_tf.storage.paths import at_home, check_folder, check_no_url, open_file
from mim_tf.values.text import printable

MATCHING = (
    "Give predicted rain or reflectivity the values of the last frame before it, in its own order: "
    "stronger rain, better scores of events, larger squared errors."
)
_OUTPUTS = ("output", "save_dir", "gen_frm_dir")
"""Flags that name what is written."""


@dataclasses.dataclass
class NetworkFlags:
    """The flag for networks of a user's own, for `import_keras`."""

    network_module: str = field(
        "", "Python file to run first, which registers a network of your own: docs/networks.md."
    )


@dataclasses.dataclass
class WeightsFlags(NetworkFlags):
    """The flag for weights of any kind, too."""

    pretrained_model: str = field(
        "",
        "Weights: a file, a name of mim presets, or the prefix of a TensorFlow 1 checkpoint. Their "
        "architecture is used; a flag that contradicts it is an error.",
    )


@dataclasses.dataclass(frozen=True)
class Command:
    """A command: what it does, and its flags."""

    doc: str  # what it does; the first line is its entry in the list of commands
    main: Callable[..., None]  # runs it, given the flags and then each of `arguments`
    flags: type = NetworkFlags  # dataclass of the flags that only this command has
    configs: tuple[type, ...] = ()  # configurations whose fields are flags too
    fields: dict[type, tuple[str, ...]] = dataclasses.field(default_factory=dict)  # some of theirs
    basics: tuple[str, ...] = ()  # flags that `--help` shows; empty: all, like `--helpfull`
    required: tuple[str, ...] = ()  # flags that have to be given
    arguments: tuple[str, ...] = ()  # those that are not flags; "RUN...": one or more
    defaults: dict[str, object] = dataclasses.field(default_factory=dict)  # other than in configs

    def flag_values(self) -> absl_flags.FlagValues:
        """Return the flags, not parsed yet."""
        values = absl_flags.FlagValues()
        define_config_flags(self.flags, *self.configs, values=values)
        for config, names in self.fields.items():
            define_config_flags(config, values=values, only=names)
        for name, default in self.defaults.items():
            values.set_default(name, default)
        return values

    def help(self, program: str, full: bool) -> str:
        """Return what `program --help` prints, or with `full` what `--helpfull` prints."""
        values = shown = self.flag_values()
        parts = [" ".join(["usage:", program, *self.arguments, "[FLAGS]"]), self.doc.strip()]
        if self.required:
            parts.append(f"Required: {', '.join(f'--{name}' for name in self.required)}")
        if self.basics and not full:
            shown = absl_flags.FlagValues()
            for name in self.basics:
                shown[name] = values[name]
            parts.append("Flags to start with; --helpfull lists all flags by group:")
        parts.append(shown.get_help(include_special_flags=False).strip("\n"))
        parts.append("--flagfile=FILE reads flags from a text file, one on each line.")
        return "\n\n".join(parts)

    def start(self, values: absl_flags.FlagValues, arguments: Sequence[str] = ()) -> None:
        """Run `main`; raise `UsageError` if a required flag or an argument is missing."""
        missing = [f"--{name}" for name in self.required if values[name].value in (None, "")]
        if missing:
            raise UsageError(f"Expected {' and '.join(missing)}, which must be given.")
        is_open = bool(self.arguments) and self.arguments[-1].endswith("...")
        surplus = len(arguments) - len(self.arguments)
        if surplus < 0 or (surplus and not is_open):
            expected = " ".join(self.arguments) or "only flags, --name=value"
            raise UsageError(f"Expected {expected}; got {' '.join(arguments) or 'nothing'}.")
        for name in values:
            if isinstance(text := values[name].value, str):
                values[name].value = text = at_home(text)
                check_no_url(text, is_output=name in _OUTPUTS)
        arguments = [at_home(text) for text in arguments]
        for text in arguments:
            check_no_url(text)
        for name in {"save_dir", "gen_frm_dir"} & {*values}:
            check_folder(str(values[name].value), f"--{name}")
        if "network_module" in values and values["network_module"].value:
            open_file(values["network_module"].value, "a Python file as --network_module").close()
        self.main(values, *arguments)


def run(command: Command, arguments: Sequence[str], program: str) -> None:
    """Run `command` as `program`, or print its help; errors as of `one_line_errors`."""
    # Otherwise absl warns about logging before its own flags, which are not used, are parsed.
    absl_flags.FLAGS.mark_as_parsed()
    logging.use_absl_handler()
    logging.get_absl_handler().setFormatter(_Formatter())
    with one_line_errors(program):
        if {"--help", "-help", "-h", "--helpfull", "-helpfull"} & set(arguments):
            print(command.help(program, full="helpfull" in " ".join(arguments)))
            return
        values = command.flag_values()
        try:
            with backend_errors():
                command.start(values, parse(values, arguments))
        except SystemExit as error:  # of a user's own network or data set
            raise MimError(
                f"sys.exit({error.code!r}) was called. Remove it from --network_module."
            ) from None


@contextlib.contextmanager
def one_line_errors(program: str) -> Iterator[None]:
    """Print errors on one line and exit; what is printed inside never ends the work.

    The status is 1 for a `MimError`, 2 for a wrong command line and 130 for Ctrl-C. It is 1 too if
    stdout could not be written, but 0 if its reader has left, as in `mim presets | head`.
    """
    # A closed descriptor would become the number of the next file, into which C++ code then logs.
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(number)
    out = _Stream(sys.stdout or os.fdopen(1, "w"), printable)
    err = _Stream(sys.stderr or os.fdopen(2, "w"))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            yield
            out.flush()
            if out.error and not isinstance(out.error, BrokenPipeError):
                raise OSError(out.error.errno, out.error.strerror, "stdout")
        except UsageError as error:
            leave(f"{error} `{program} --help` lists its flags.", status=2)
        except MimError as error:
            leave(str(error), status=1)
        except OSError as error:  # such as a full disk, or a folder without permission to write
            reason = (error.strerror or str(error) or type(error).__name__).splitlines()[0]
            name = f"{error.filename}: " if error.filename else ""
            leave(
                f"{name}{reason}. Free some space or choose another place, and try again.", status=1
            )
        except KeyboardInterrupt:
            print("\ninterrupted", file=sys.stderr)
            sys.exit(130)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            leave(f"{in_words(error)} Lower --batch_size first, then the sizes.", status=1)


class _Stream:
    """stdout or stderr: what cannot be written is lost, and `error` is the reason.

    `escape` changes all text; progress bars on stderr need control characters.
    """

    def __init__(self, stream, escape: Callable[[str], str] = str):
        self._stream, self._escape = stream, escape
        self.error: OSError | None = None
        with contextlib.suppress(AttributeError):  # not a file, in tests and notebooks
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(self._escape(text)))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, act):
        try:
            act()
        except OSError as error:
            self.error = error
            # Python flushes at its exit again, which must not fail.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name):
        return getattr(self._stream, name)


class _Formatter(logging.PythonFormatter):
    def format(self, record):
        return printable(super().format(record))


def leave(message: str, status: int) -> NoReturn:
    """End the process with an error on one line."""
    line = printable(message).replace("\n", "\\n")
    print(f"error: {line}", file=sys.stderr)
    sys.exit(status)


def share_cores() -> None:
    """Give each operation of TensorFlow half of the cores; call it before `import_keras`.

    A step has many small convolutions. Two at a time on half of the cores each are faster than one
    at a time on all of them; benchmarks/README.md has the figures.
    """
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))


def import_keras(network_module: str = "") -> None:
    """Import Keras and its backend, and the networks that the file `network_module` registers.

    Raises `MimError` if the backend is missing or not supported, or the file registers no network.
    """
    handler = signal.signal(signal.SIGINT, _end)
    try:
        with backend_errors():
            keras = importlib.import_module("keras")
    finally:
        signal.signal(signal.SIGINT, handler)
    check_backend(keras.backend.backend())
    if network_module:
        from mim_tf.models.registry import import_network_module

        import_network_module(network_module)


def _end(*_):
    # C++ modules would turn the KeyboardInterrupt of Ctrl-C into an ImportError.
    os.write(2, b"\ninterrupted\n")
    os._exit(128 + signal.SIGINT)
