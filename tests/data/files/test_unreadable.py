import pytest

from mim_tf.data.files.unreadable import unreadable_is_mim_error
from mim_tf.errors import MimError


def message(error, *kind, **words):
    with pytest.raises(MimError) as caught, unreadable_is_mim_error("a.map", *kind, **words):
        raise error
    assert caught.value.__suppress_context__
    return str(caught.value)


def test_a_file_that_is_not_there():
    assert message(FileNotFoundError(), "a map", " in colour") == (
        "a.map: expected a map, found no such file. Check the path."
    )


@pytest.mark.parametrize("kind", [ValueError, OSError, IndexError, MemoryError])
def test_whatever_goes_wrong_is_told_in_the_same_words(kind):
    assert message(kind("it ends early"), "a map") == (
        "a.map: expected a map, received a file that cannot be read as one (it ends early). Save "
        "or download it again."
    )
    assert message(kind("9"), "a map", " in colour", form="GeoTIFF", remedy="Draw it again.") == (
        "a.map: expected a map in colour, received a file that cannot be read as GeoTIFF (9). "
        "Draw it again."
    )


def test_what_has_been_said_already_is_kept():
    said = MimError("a.map: expected north at the top.")
    with pytest.raises(MimError) as caught, unreadable_is_mim_error("a.map", "a map"):
        raise said
    assert caught.value is said


def test_an_interruption_is_not_the_fault_of_the_file():
    with pytest.raises(KeyboardInterrupt), unreadable_is_mim_error("a.map", "a map"):
        raise KeyboardInterrupt
