import os

import h5py
import pytest

from mim_tf.weights import keras_file as full_disk
from mim_tf.weights.keras_file import saved_by_keras


@pytest.fixture
def memory(tmp_path, monkeypatch):
    monkeypatch.setattr(full_disk, "_MEMORY", str(tmp_path / "memory"))
    (tmp_path / "memory").mkdir()
    return tmp_path / "memory"


def test_keras_writes_to_memory_and_nothing_stays(memory, tmp_path, tiny_model):
    with saved_by_keras(tiny_model, tmp_path / "not there") as file:
        assert str(memory) in file.filename
        assert "layers" in file
    assert not list(memory.iterdir())


def test_or_to_the_disk(memory, tmp_path, tiny_model):
    memory.rmdir()
    with saved_by_keras(tiny_model, tmp_path) as file:
        assert os.path.dirname(os.path.dirname(file.filename)) == str(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_removed(memory, tiny_model):
    old, new, other = (memory / name for name in (".mim_tf-writing-a", ".mim_tf-writing-b", "c"))
    for folder in (old, new, other):
        folder.mkdir()
        h5py.File(folder / "keras.weights.h5", "w").close()
    for folder in (old, other):
        os.utime(folder, (0, 0))
    with saved_by_keras(tiny_model):
        pass
    assert sorted(memory.iterdir()) == [new, other]
