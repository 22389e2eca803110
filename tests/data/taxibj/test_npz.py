import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mim_tf.errors import MimError
from tests.taxibj_files import open_city


def arrays(n=3, frames=4, seed=0):
    values = np.random.default_rng(seed).uniform(-1, 1, (4, n, frames, 2, 3, 5))
    return dict(zip(("X_train", "Y_train", "X_test", "Y_test"), values, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_is_x_then_y(tmp_path, save, dtype):
    stored = {key: part.astype(dtype) for key, part in arrays().items()}
    stored["X_train"][0, 0, 0, 0, :2] = -1, 1
    save(tmp_path / "dataset.npz", **stored)
    for path in (tmp_path, tmp_path / "dataset.npz"):
        for split in ("train", "valid", "test"):
            name = "train" if split == "train" else "test"
            parts = [stored[f"X_{name}"][[2, 0]], stored[f"Y_{name}"][[2, 0]]]
            expected = (np.concatenate(parts, axis=1) + 1) / 2
            source = open_city([path], split, 7)
            got = source.sequences([2, 0])
            assert (source.size, source.shape, source.scale) == (3, (7, 3, 5, 2), None)
            assert got.dtype == np.float32
            np.testing.assert_allclose(got, expected[:, :7].transpose(0, 1, 3, 4, 2), atol=1e-6)
    assert open_city([tmp_path], "train", 8).sequences([0])[0, 0, 0, :2, 0].tolist() == [0, 1]


def test_npz_describes_that_it_has_no_scale(tmp_path):
    np.savez(tmp_path / "dataset.npz", **arrays())
    assert open_city([tmp_path], "valid", 8).describe() == {
        "source": "TaxiBJ format, .npz",
        "paths": [str(tmp_path / "dataset.npz")],
        "arrays": ["X_test", "Y_test"],
        "sequences": 3,
        "shape": [8, 3, 5, 2],
        "scale": None,
        "scale_note": "the file does not carry the lowest and highest count",
    }


def test_npz_has_no_other_order_split_or_company(tmp_path):
    path = tmp_path / "dataset.npz"
    np.savez(path, **arrays())
    for options in ({"taxibj_order": "reference"}, {"taxibj_split": "clean"}):
        with pytest.raises(MimError, match=r"has no dates.*taxibj_order=chronological"):
            open_city([path], "test", 8, **options)
    with pytest.raises(MimError, match=r"one \.npz file"):
        open_city([path, path], "test", 8)


def changed(value):
    values = arrays()["Y_test"]
    values[1, 2, 0, 1, 1] = value
    return {"Y_test": values}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Y_test": arrays(2)["Y_test"]}, r"of the same N.*\[3, 4, 2, 3, 5\] and \[2, 4, 2, 3, 5"),
        ({"Y_test": arrays()["Y_test"][..., :4]}, "of the same N, height and width"),
        ({key: part[:, :, :1] for key, part in arrays().items()}, r"frames, 2, height"),
        ({key: part[:0] for key, part in arrays().items()}, "at least one"),
        ({"X_test": arrays()["X_test"][0]}, "X_test as floats with 5 axes"),
        ({"X_test": np.zeros((3, 4, 2, 3, 5), int)}, "X_test as floats.*int64"),
        ({"X_test": np.array([{}], object)}, "pickled Python objects"),
        ({"X_test": arrays()["X_test"][:, :3]}, "lengths do not fit.*= 8 frames.*received 7"),
        (
            changed(np.nan),
            r"Y_test: expected values in \[-1, 1\], received nan in sequence 1, frame 2 ",
        ),
        (changed(1.01), r"Y_test: expected values in \[-1, 1\], received 1.01 in sequence 1, "),
        (changed(-1.01), "received -1.01 in sequence 1, "),
        (changed(-np.inf), "received -inf in sequence 1, "),
    ],
)
def test_npz_arrays_that_do_not_fit_are_refused(tmp_path, changes, words):
    np.savez(tmp_path / "dataset.npz", **arrays() | changes)
    with pytest.raises(MimError, match=words) as caught:
        open_city([tmp_path], "test", 8)
    assert "dataset.npz" in str(caught.value)


def test_npz_range_is_checked_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("mim_tf.data.files.arrays.CHUNK_VALUES", 1)
    np.savez(tmp_path / "dataset.npz", **arrays() | changed(2))
    with pytest.raises(MimError, match=r"received 2.0 in sequence 1, "):
        open_city([tmp_path], "test", 8)
    assert open_city([tmp_path], "train", 8).size == 3


def test_npz_needs_its_arrays(tmp_path):
    np.savez(tmp_path / "dataset.npz", X_train=np.zeros(3), clips=np.zeros(3))
    with pytest.raises(MimError, match=r"X_train and Y_train, found X_train, clips"):
        open_city([tmp_path], "train", 8)
    for content in (b"", b"hello"):
        (tmp_path / "dataset.npz").write_bytes(content)
        with pytest.raises(MimError, match="cannot be read"):
            open_city([tmp_path], "train", 8)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 10**6), value=st.integers(0, 255))
def test_damaged_npz_surfaces_as_nothing_but_mim_error(tmp_path_factory, place, value):
    path = tmp_path_factory.getbasetemp() / "damaged-dataset.npz"
    np.savez(path, **{key: part[..., :1, :1] for key, part in arrays(1, 2).items()})
    content = bytearray(path.read_bytes())
    content[place % len(content)] = value
    path.write_bytes(content)
    try:
        source = open_city([path], "train", 4)
    except MimError:
        return
    frames = source.sequences([0])
    assert frames.min() >= 0
    assert frames.max() <= 1
