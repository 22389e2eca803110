import os

import pytest

from mim_tf.errors import MimError
from mim_tf.storage.paths import list_folder, open_file, opened, parse_json, read_text, walk


def message(error, path, *kind, **words):
    with pytest.raises(MimError) as caught, opened(path, *kind, **words):
        raise error
    assert caught.value.__suppress_context__
    return str(caught.value)


@pytest.fixture
def a_map(tmp_path):
    path = tmp_path / "a.map"
    path.write_bytes(b"north")
    return path


def test_a_file(a_map):
    with open_file(a_map) as file:
        assert file.read() == b"north"
    assert read_text(a_map) == "north"


def test_a_file_that_is_not_there():
    with pytest.raises(MimError) as caught, opened("a.map", "a map", " in colour"):
        pass
    assert str(caught.value) == "a.map: expected a map, found no such file. Check the path."


@pytest.mark.parametrize("kind", [ValueError, OSError, IndexError, MemoryError])
def test_whatever_goes_wrong_is_told_in_the_same_words(a_map, kind):
    assert message(kind("it ends early"), a_map, "a map") == (
        f"{a_map}: expected a map, received a file that cannot be read as one (it ends early). "
        "Save or download it again."
    )
    words = {"form": "GeoTIFF", "remedy": "Draw it again."}
    assert message(kind("9"), a_map, "a map", " in colour", **words) == (
        f"{a_map}: expected a map in colour, received a file that cannot be read as GeoTIFF (9). "
        "Draw it again."
    )


def test_what_has_been_said_already_is_kept(a_map):
    said = MimError("a.map: expected north at the top.")
    with pytest.raises(MimError) as caught, opened(a_map, "a map"):
        raise said
    assert caught.value is said


def test_an_interruption_is_not_the_fault_of_the_file(a_map):
    with pytest.raises(KeyboardInterrupt), opened(a_map, "a map"):
        raise KeyboardInterrupt


def a_folder(path):
    path.mkdir()


def a_named_pipe(path):
    os.mkfifo(path)


def a_device(path):
    path.symlink_to("/dev/zero")


def symbolic_links(path):
    path.symlink_to(path)


def no_such_file(path):
    path.symlink_to("nothing")


@pytest.mark.parametrize("make", [a_folder, a_named_pipe, a_device, symbolic_links, no_such_file])
def test_what_is_no_file_is_named_and_not_waited_for(tmp_path, make):
    path = tmp_path / "a.map"
    make(path)
    words = make.__name__.replace("_", " ")
    with pytest.raises(MimError, match=f"a.map: expected a map, found .*{words}.* Check the path"):
        open_file(path, "a map")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
@pytest.mark.parametrize("open_it", [open_file, list_folder, lambda path: list(walk(path))])
def test_names_that_no_file_can_have(tmp_path, name, open_it):
    with pytest.raises(MimError, match="found a path that cannot be opened"):
        open_it(f"{tmp_path}/{name}")


def test_text_of_another_encoding(a_map):
    a_map.write_bytes(b"gr\xfc\xdfe")
    with pytest.raises(MimError, match=r"a.map: expected a file of text, .* cannot be read as UTF"):
        read_text(a_map)


def test_a_folder_is_listed_in_order(tmp_path):
    for name in ("b", "a", "c"):
        (tmp_path / name).touch()
    assert [path.name for path in list_folder(tmp_path)] == ["a", "b", "c"]
    with pytest.raises(MimError, match=r"a: expected a folder, found .*Not a directory"):
        list_folder(tmp_path / "a")


def test_loops_of_links_end(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
        for link in ("x", "y", "z"):
            (tmp_path / name / link).symlink_to(tmp_path)
    found = [(folder.name, names) for folder, names in walk(tmp_path)]
    assert found == [(tmp_path.name, []), *((name, ["file"]) for name in "abc")]


@pytest.mark.parametrize(
    "text", ["NaN", "[-Infinity]", '{"a": 1e999}', "[" * 10**5, "", "1" * 5000]
)
def test_json_of_numbers_that_are_none(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_json(text)


def test_json():
    assert parse_json('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
