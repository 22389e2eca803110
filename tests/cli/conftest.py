"""`mim` in this process."""

import pytest
from absl import logging

from mim_tf.cli.main import main


@pytest.fixture
def mim(capsys):
    """Runs `mim ARGUMENTS` and returns what it printed."""

    def run(*arguments):
        main([str(argument) for argument in arguments])
        return capsys.readouterr().out

    verbosity = logging.get_verbosity()
    yield run
    logging.set_verbosity(verbosity)


@pytest.fixture
def error_of(mim, capsys):
    """Runs `mim ARGUMENTS`, which has to fail, and returns its status and what it wrote."""

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_info:
            mim(*arguments)
        return exit_info.value.code, capsys.readouterr().err

    return run
