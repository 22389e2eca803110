import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.inspection.recognise import recognise
from tests.data_examples import write_example
from tests.sevir_files import write_sevir


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


def test_clips_among_other_arrays_are_not_moving_mnist(tmp_path):
    np.savez(tmp_path / "many.npz", clips=np.zeros((3, 8, 8)), labels=np.arange(3), fps=25)
    assert recognise(tmp_path / "many.npz") == "array"
    path, _ = write_example("mnist", tmp_path / "data")
    assert recognise(path) == "mnist"


@pytest.mark.parametrize("kind", ["sevir", "hko7", "kth"])
def test_archives_are_recognised_by_their_layout(kind, tmp_path):
    path, _ = write_example(kind, tmp_path / "data")
    assert recognise(path) == kind


def test_one_file_of_sevir_is_not_taken_for_weights(tmp_path):
    (_, name, *_), *_ = write_sevir(tmp_path)
    with pytest.raises(MimError, match=r"received one file of SEVIR\. Give that folder"):
        recognise(tmp_path / "data" / name)
