import pytest

from mim_tf.errors import MimError
from mim_tf.values.step import step_from_words, step_in_words


@pytest.mark.parametrize(
    ("step", "unit", "words"),
    [
        (3600, "seconds", "1 hour"),
        (300, "seconds", "5 minutes"),
        (172_800, "seconds", "2 days"),
        (7, "seconds", "7 seconds"),
        (1, "months", "1 month"),
        (24, "months", "2 years"),
    ],
)
def test_steps_in_words_and_back(step, unit, words):
    assert step_in_words(step, unit) == words
    assert step_from_words(words) == (step, unit)


@pytest.mark.parametrize("words", ["", "hour", "0 hours", "-1 hours", "1.5 days", "3 weeks", "3"])
def test_words_that_are_no_step(words):
    with pytest.raises(MimError, match="Expected a step of time such as '6 hours'"):
        step_from_words(words)
