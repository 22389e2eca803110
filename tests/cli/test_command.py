import pytest

from mim_tf.cli.command import command
from mim_tf.errors import MimError


@pytest.fixture
def ran():
    """How often the program of `main` ran."""
    return []


@pytest.fixture
def main(ran):
    return command(lambda: ran.append("once"))


def test_it_runs_the_program(main, ran):
    main(["program"])
    assert ran == ["once"]


def test_an_argument_that_is_no_flag_is_refused_before_it_runs(main, ran):
    with pytest.raises(SystemExit) as exit_info:
        main(["program", "a.h5", "b"])
    # Python prints text to stderr and exits with status 1.
    assert exit_info.value.code == (
        "error: Every argument is a flag, --name=value; received ['a.h5', 'b']."
    )
    assert ran == []


def test_an_error_is_one_sentence():
    @command
    def main():
        raise MimError("a.h5: expected weights. Check the path.")

    with pytest.raises(SystemExit) as exit_info:
        main(["program"])
    assert exit_info.value.code == "error: a.h5: expected weights. Check the path."


def test_a_mistake_of_the_program_keeps_its_trace():
    @command
    def main():
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        main(["program"])


def test_it_keeps_its_name():
    @command
    def main():
        """What it does."""

    assert (main.__name__, main.__doc__) == ("main", "What it does.")
