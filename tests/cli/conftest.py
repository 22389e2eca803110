"""`mim` in this process."""

import pytest
from absl import logging

from mim_tf.cli.main import main
from tests.eager import eagerly


@pytest.fixture
def mim(capsys):
    """Run `mim ARGUMENTS` and return what it printed."""

    def run(*arguments):
        with eagerly("export" not in arguments):
            main([str(argument) for argument in arguments])
        return capsys.readouterr().out

    verbosity = logging.get_verbosity()
    yield run
    logging.set_verbosity(verbosity)


@pytest.fixture
def error_of(mim, capsys):
    """Run `mim ARGUMENTS`, which has to fail with one line, and return its status and the line."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            mim(*arguments)
        message = capsys.readouterr().err
        assert message.startswith("error: ")
        assert message.count("\n") == 1
        return exit_info.value.code, message

    return run
