import gzip
import hashlib
import struct
import threading

import numpy as np
import pytest

from mim_tf.data.sets.moving_mnist import digits as module
from mim_tf.data.sets.moving_mnist.digits import load_digits
from mim_tf.errors import MimError
from tests.small_servers import served


@pytest.fixture(autouse=True)
def datasets(tmp_path, monkeypatch):
    """An empty Keras home, so that no test finds or downloads MNIST."""
    home = tmp_path / "keras"
    (home / "datasets").mkdir(parents=True)
    monkeypatch.setenv("KERAS_HOME", str(home))
    return home / "datasets"


def images(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 28, 28), dtype=np.uint8)


def save_mnist(path, train, test):
    with open(path, "wb") as file:
        np.savez_compressed(file, x_train=train, x_test=test)


def test_bundled_digits_are_real_and_disjoint():
    digits = load_digits("bundled")
    parts = [digits.train, digits.valid, digits.test]
    assert [part.shape for part in parts] == [(n, 28, 28) for n in (4000, 500, 1500)]
    assert {part.dtype for part in parts} == {np.dtype(np.uint8)}
    assert "bundled" in digits.origin
    each = {digit.tobytes() for digit in np.concatenate(parts)}
    assert len(each) == 6000
    # MNIST's mean level is 33.3; digits are centred and have an empty border.
    assert 30 < digits.train.mean() < 37
    assert not digits.train[:, 0].any()


def assert_divided(digits, train, test):
    """The last twelfth of `train`, at least one, is for validation."""
    valid = max(1, len(train) // 12)
    np.testing.assert_array_equal(digits.train, train[:-valid])
    np.testing.assert_array_equal(digits.valid, train[-valid:])
    np.testing.assert_array_equal(digits.test, test)


@pytest.mark.parametrize("choice", ["mnist", "auto", "{}"])
def test_a_copy_needs_no_download(datasets, choice):
    path = datasets / "mnist.npz"
    save_mnist(path, images(36), images(3, 1))
    digits = load_digits(choice.format(path))
    assert_divided(digits, images(36), images(3, 1))
    assert str(path) in digits.origin


def write_idx(path, array):
    content = struct.pack(">IIII", 0x803, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize(("mark", "end"), [("-", ""), (".", ".gz")])
def test_idx_folder(tmp_path, mark, end):
    write_idx(tmp_path / f"train-images{mark}idx3-ubyte{end}", images(5))
    write_idx(tmp_path / f"t10k-images{mark}idx3-ubyte{end}", images(3, 1))
    digits = load_digits(str(tmp_path))
    assert_divided(digits, images(5), images(3, 1))
    assert str(tmp_path) in digits.origin


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("header", [(0x803, 2**31, 28, 28), (0x801, 5, 28, 28), (0x803, 5, 28, 20)])
def test_idx_files_of_other_content_are_refused(tmp_path, end, header):
    path = tmp_path / f"train-images-idx3-ubyte{end}"
    content = struct.pack(">IIII", *header) + bytes(5 * 28 * header[-1])
    path.write_bytes(gzip.compress(content) if end else content)
    with pytest.raises(MimError, match="train-images-idx3-ubyte"):
        load_digits(str(tmp_path))


def test_other_choices_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=np.zeros((2, 28, 28), np.uint16), x_test=images(2))
    np.savez(tmp_path / "b.npz", digits=images(2))
    save_mnist(tmp_path / "one.npz", images(1), images(2))
    (tmp_path / "empty").mkdir()
    for name in ("nonsense", "a.npz", "b.npz", "one.npz", "empty"):
        with pytest.raises(MimError, match=name):
            load_digits(str(tmp_path / name))


@pytest.fixture
def go_on(tmp_path, monkeypatch):
    """Serves the content of MNIST; it stops half-way until the event it yields is set."""
    go_on = threading.Event()
    save_mnist(tmp_path / "served.npz", images(5), images(3, 1))
    content = (tmp_path / "served.npz").read_bytes()

    def send(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: len(content) // 2])
        go_on.wait(10)
        handler.wfile.write(content[len(content) // 2 :])

    monkeypatch.setattr(module, "SHA256", hashlib.sha256(content).hexdigest())
    with served(send) as address:
        monkeypatch.setattr(module, "ADDRESS", f"{address}/mnist.npz")
        yield go_on
        go_on.set()


@pytest.mark.parametrize("choice", ["mnist", "auto"])
def test_download_is_kept_under_keras_name(datasets, choice, go_on):
    go_on.set()
    (datasets / "mnist.npz").write_bytes(b"half a download of another program")
    digits = load_digits(choice)
    assert_divided(digits, images(5), images(3, 1))
    assert "downloaded" in digits.origin
    assert [path.name for path in datasets.iterdir()] == ["mnist.npz"]
    assert "downloaded" not in load_digits(choice).origin


def assert_bundled_because(datasets, patience, words):
    digits = load_digits("auto", patience=patience)
    assert len(digits.train) == 4000
    assert words in digits.origin
    with pytest.raises(MimError, match=rf"{words}.*--digits"):
        load_digits("mnist", patience=patience)
    assert not list(datasets.iterdir())


def test_hanging_wrong_and_refused_downloads_are_given_up(datasets, go_on, monkeypatch, caplog):
    assert_bundled_because(datasets, 0.2, "timed out")
    go_on.set()
    monkeypatch.setattr(module, "SHA256", "0" * 64)
    assert_bundled_because(datasets, 5, "sent another file")
    # Port 9 of this machine, where nothing listens.
    monkeypatch.setattr(module, "ADDRESS", "http://127.0.0.1:9/mnist.npz")
    with caplog.at_level("INFO", logger="absl"):
        assert_bundled_because(datasets, 5, "refused")
    assert "refused" in caplog.text
    assert "4000 train, 500 valid, 1500 test" in caplog.text


def test_digits_stay_as_they_were_read(tmp_path):
    path = tmp_path / "digits.npz"
    np.savez(path, x_train=images(24), x_test=images(4))  # which is mapped
    digits, before = load_digits(str(path)), images(4)
    np.savez(path, x_train=images(24, 1), x_test=images(4, 1))
    np.testing.assert_array_equal(digits.test, before)


def test_digits_of_0_and_1_are_told(tmp_path, caplog):
    save_mnist(tmp_path / "digits.npz", images(24) % 2, images(4) % 2)
    load_digits(str(tmp_path / "digits.npz"))
    assert "Multiply them by 255" in caplog.text
