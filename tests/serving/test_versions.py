import pytest

from mim_tf.serving.saved_model import next_version, publish


@pytest.mark.parametrize(
    ("names", "version"),
    [([], 1), (["1"], 2), (["2", "10"], 11), (["0007"], 8), (["v3", ".writing-5", "4x", "٣"], 1)],
)
def test_the_next_version_is_the_largest(tmp_path, names, version):
    for name in names:
        (tmp_path / name).mkdir()
    assert next_version(tmp_path) == version


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "2").write_text("a file")
    new = tmp_path / "new"
    new.mkdir()
    (new / "model").write_text("new")
    assert publish(new, tmp_path) == tmp_path / "3"
    assert (tmp_path / "3" / "model").read_text() == "new"
    assert (tmp_path / "2").read_text() == "a file"
    assert not new.exists()


def test_another_program_is_first(tmp_path, monkeypatch):
    new = tmp_path / "new"
    new.mkdir()
    monkeypatch.setattr("mim_tf.serving.saved_model.next_version", competing_version)
    assert publish(new, tmp_path) == tmp_path / "2"
    assert (tmp_path / "1" / "model").read_text() == "theirs"


def competing_version(parent):
    version = next_version(parent)
    if version == 1:
        (parent / "1").mkdir()
        (parent / "1" / "model").write_text("theirs")
    return version


def test_what_cannot_be_moved_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        publish(tmp_path / "missing", tmp_path)
