import pytest

from mim_tf.data.inspect.recognise import recognise
from mim_tf.errors import MimError


@pytest.mark.parametrize(
    ("name", "kind"), [("a.npy", "array"), ("video.MP4", "folder"), ("mine.h5", "weights")]
)
def test_a_file_that_cannot_be_read_is_recognised_by_its_name(name, kind, tmp_path):
    (tmp_path / name).write_bytes(b"")
    assert recognise(tmp_path / name) == kind


@pytest.mark.parametrize("name", ["notes.txt", "no suffix"])
def test_other_files_are_refused(name, tmp_path):
    (tmp_path / name).write_text("neither weights nor data")
    with pytest.raises(MimError, match=r"expected weights.*or a folder of them"):
        recognise(tmp_path / name)
