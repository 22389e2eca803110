import os

import pytest
from absl import flags

from mim_tf.cli.command import Command, run
from mim_tf.config import DataConfig, TrainingConfig
from mim_tf.errors import MimError


def define_flags(values):
    flags.DEFINE_string("output", None, "What to make.", flag_values=values)
    flags.DEFINE_boolean("fast", False, "Not slow.", flag_values=values)


@pytest.fixture
def calls():
    """Values of flags and arguments that the command was called with."""
    return []


@pytest.fixture
def command(calls):
    def main(values, path):
        calls.append((values.output, values.fast, path))

    return Command(
        "Makes a thing.\n\nOf a path.",
        main,
        define_flags,
        configs=(DataConfig, TrainingConfig),
        required=("output",),
        arguments=("PATH",),
        defaults={"max_test_sequences": 0},
    )


@pytest.fixture
def error_of(command, capsys):
    def run_it(*arguments):
        with pytest.raises(SystemExit) as exit_info:
            run(command, arguments, "mim make")
        return exit_info.value.code, capsys.readouterr().err

    return run_it


def test_flags_come_before_and_after_arguments(command, calls):
    run(command, ["--output=a", "here", "--fast"], "mim make")
    assert calls == [("a", True, "here")]


def test_help_shows_groups_and_defaults_in_80_columns(command, calls, capsys):
    run(command, ["here", "--help"], "mim make")
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert lines[0] == "usage: mim make PATH [FLAGS]"
    own, data, training = (lines.index(f"{n}:") for n in ("Flags of its own", "Data", "Training"))
    assert own < lines.index("  --output=TEXT  (required)") < data
    assert own < lines.index("  --[no]fast  (default: no)") < data
    assert data < lines.index("  --thresholds=TEXT") < training
    assert "  --max_test_sequences=NUMBER  (default: 0)" in lines[training:]
    assert "  --lr=NUMBER  (default: 0.001; with --recipe=fast: 0.004)" in lines[training:]
    assert "  --taxibj_split=reference|clean  (default: reference)" in lines
    assert "<" not in printed
    assert max(map(len, lines)) <= 80
    for name in ("verbosity", "logtostderr", "pdb", "helpxml"):  # absl's
        assert name not in printed
    assert calls == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x"], "--output=... must be given."),
        (["--output=a"], "Expected PATH; received nothing."),
        (["--output=a", "x", "y"], "Expected PATH; received x y."),
        (["--outptu=a", "x"], "There is no flag --outptu. Did you mean --output?"),
        (["--output=a", "x", "--batch_size=many"], "--batch_size must be a positive integer"),
        (["--output=a", "x", "--batch_size=0"], "received '0'"),
        (["--output=a", "x", "--seed=1.5"], "must be a non-negative integer, received '1.5'"),
        (["--output=a", "x", "--fast=maybe"], "--fast must be true or false, received 'maybe'"),
        (["--output=a", "x", "--lr_schedule=cosin"], "Did you mean --lr_schedule=cosine?"),
        (["x", "--output"], "Missing value for flag --output"),
        (["--flagfile=nowhere.cfg"], "nowhere.cfg: expected a flagfile, found no such file"),
    ],
)
def test_a_wrong_command_line_is_answered_in_one_line(error_of, calls, arguments, words):
    status, message = error_of(*arguments)
    assert status == 2
    assert words in message
    assert message.startswith("error: ")
    assert message.endswith("`mim make --help` lists its flags.\n")
    assert message.count("\n") == 1
    assert calls == []


def test_a_flagfile(command, calls, error_of, tmp_path):
    path = tmp_path / "a.cfg"
    path.write_text("# a comment\n--output=b\n")
    run(command, ["x", f"--flagfile={path}", "--fast"], "mim make")
    assert calls == [("b", True, "x")]
    path.write_bytes("--output=é\n".encode("latin-1"))
    assert (
        "expected a flagfile, received a file that cannot be read as UTF-8"
        in error_of(f"--flagfile={path}")[1]
    )


def raising(error):
    def main(values):
        raise error

    return Command("Fails.", main, lambda values: None)


def test_an_error_is_one_sentence(capsys):
    with pytest.raises(SystemExit) as exit_info:
        run(raising(MimError("a.h5: expected weights. Check the path.")), [], "mim fail")
    assert exit_info.value.code == 1
    assert capsys.readouterr().err == "error: a.h5: expected weights. Check the path.\n"


@pytest.mark.parametrize(
    "error", [MemoryError("8 TiB"), RuntimeError("RESOURCE_EXHAUSTED: 8 TiB\nand more")]
)
def test_memory_that_runs_out_is_one_sentence(capsys, error):
    with pytest.raises(SystemExit) as exit_info:
        run(raising(error), [], "mim fail")
    assert exit_info.value.code == 1
    message = capsys.readouterr().err
    assert message.startswith("error: The memory does not suffice (")
    assert message.endswith("8 TiB). Lower --batch_size first, then the sizes.\n")
    assert message.count("\n") == 1


def test_ctrl_c_is_one_line(capsys):
    with pytest.raises(SystemExit) as exit_info:
        run(raising(KeyboardInterrupt()), [], "mim fail")
    assert exit_info.value.code == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


def test_a_mistake_of_the_program_keeps_its_trace():
    with pytest.raises(ValueError, match="a mistake"):
        run(raising(ValueError("a mistake")), [], "mim fail")


def test_a_flagfile_that_never_ends_is_not_waited_for(error_of, tmp_path):
    os.mkfifo(tmp_path / "pipe.cfg")
    (tmp_path / "a.cfg").write_text(f"--flagfile={tmp_path / 'pipe.cfg'}\n--flagfile=a.cfg\n")
    for name in ("pipe.cfg", "a.cfg"):
        message = error_of(f"--flagfile={tmp_path / name}")[1]
        assert f"{tmp_path / 'pipe.cfg'}: expected a flagfile, found a named pipe" in message
