import pytest

from mim_tf.report.pages import command_line


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        (["/usr/bin/mim", "train", "--lr=1"], "mim train --lr=1"),
        (["run.py", "--thresholds=30, 40"], "python run.py '--thresholds=30, 40'"),
        (["/a/mim_tf/__main__.py", "evaluate"], "python -m mim_tf evaluate"),
        (["-c"], "-c"),
    ],
)
def test_what_a_user_types(arguments, typed):
    assert command_line(arguments) == typed
