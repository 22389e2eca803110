import gzip
import os
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import mim_tf.errors
from mim_tf.data.moving_mnist.digits import load_digits
from mim_tf.errors import MimError


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


@pytest.mark.parametrize("count", [5, 36])
def test_mnist_npz_by_path(tmp_path, count):
    save_mnist(tmp_path / "mnist.npz", images(count), images(3, 1))
    digits = load_digits(str(tmp_path / "mnist.npz"))
    assert_divided(digits, images(count), images(3, 1))
    assert str(tmp_path / "mnist.npz") in digits.origin


def write_idx(path, array, magic=0x803):
    content = struct.pack(">IIII", magic, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize("mark", "-.")
@pytest.mark.parametrize("end", ["", ".gz"])
def test_idx_folder(tmp_path, mark, end):
    write_idx(tmp_path / f"train-images{mark}idx3-ubyte{end}", images(5))
    write_idx(tmp_path / f"t10k-images{mark}idx3-ubyte{end}", images(3, 1))
    digits = load_digits(str(tmp_path))
    assert_divided(digits, images(5), images(3, 1))
    assert str(tmp_path) in digits.origin


def test_idx_folder_without_files(tmp_path):
    with pytest.raises(MimError, match=r"expected one of train-images-idx3-ubyte, .* found none"):
        load_digits(str(tmp_path))


@pytest.mark.parametrize("end", ["", ".gz"])
def test_damaged_idx_files_are_refused(tmp_path, end):
    path = tmp_path / f"train-images-idx3-ubyte{end}"
    write_idx(path, images(5))
    whole = path.read_bytes()
    bomb = struct.pack(">IIII", 0x803, 2**31, 28, 28)
    contents = [b"", whole[:10], whole[:-300], b"hello" * 9, bomb]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(MimError, match=r"train-images-idx3-ubyte.*cannot be read.*again"):
            load_digits(str(tmp_path))
    write_idx(path, images(5), magic=0x801)
    with pytest.raises(MimError, match="wrong header"):
        load_digits(str(tmp_path))
    write_idx(path, images(5)[:, :20])
    with pytest.raises(MimError, match=r"\[n, 28, 28\], received uint8 \[5, 20, 28\]"):
        load_digits(str(tmp_path))


def test_other_choices_are_refused(tmp_path):
    with pytest.raises(MimError, match=r"auto, bundled, mnist.*'nonsense'"):
        load_digits("nonsense")
    np.savez(tmp_path / "a.npz", x_train=np.zeros((2, 28, 28), np.uint16), x_test=images(2))
    with pytest.raises(MimError, match=r"digits uint8.*uint16"):
        load_digits(str(tmp_path / "a.npz"))
    np.savez(tmp_path / "b.npz", digits=images(2))
    with pytest.raises(MimError, match=r"b\.npz.*x_train"):
        load_digits(str(tmp_path / "b.npz"))
    save_mnist(tmp_path / "one.npz", images(1), images(2))
    with pytest.raises(MimError, match="at least 2 training digits, received 1"):
        load_digits(str(tmp_path / "one.npz"))
    (tmp_path / "c.npz").write_bytes(b"hello")
    with pytest.raises(MimError, match=r"c\.npz.*cannot be read"):
        load_digits(str(tmp_path / "c.npz"))


def no_loader(name):
    raise AssertionError("must not be called")


@pytest.mark.parametrize("choice", ["mnist", "auto"])
def test_cached_copy_needs_no_loader(datasets, choice):
    save_mnist(datasets / "mnist.npz", images(5), images(3, 1))
    digits = load_digits(choice, loader=no_loader)
    assert_divided(digits, images(5), images(3, 1))
    assert str(datasets / "mnist.npz") in digits.origin


@pytest.mark.parametrize("choice", ["mnist", "auto"])
def test_download_is_kept_under_keras_name(datasets, choice):
    def loader(name):
        save_mnist(datasets / name, images(5), images(3, 1))
        return (images(5), None), (images(3, 1), None)

    (datasets / "mnist.npz").write_bytes(b"half a download of another program")
    digits = load_digits(choice, loader=loader)
    assert_divided(digits, images(5), images(3, 1))
    assert "Keras" in digits.origin
    assert [path.name for path in datasets.iterdir()] == ["mnist.npz"]
    assert len(load_digits(choice, loader=no_loader).train) == 4


def refusing(name):
    raise Exception("URL fetch failure: no route to host")


def test_refused_download(datasets, capfd):
    begin = time.monotonic()
    digits = load_digits("auto", loader=refusing)
    assert time.monotonic() - begin < 2
    assert "bundled" in digits.origin
    assert "no route to host" in digits.origin
    with pytest.raises(MimError, match=r"could not be downloaded: .*no route.*choose bundled"):
        load_digits("mnist", loader=refusing)
    assert "Traceback" not in capfd.readouterr().err
    assert not list(datasets.iterdir())


def test_hanging_download_is_given_up(datasets):
    go_on, finished = threading.Event(), threading.Event()

    def hanging(name):
        (datasets / name).write_bytes(b"half")
        go_on.wait(10)
        (datasets / name).write_bytes(b"late")
        finished.set()

    digits = load_digits("auto", patience=0.2, loader=hanging)
    assert "bundled" in digits.origin
    assert "no progress for 0.2 seconds" in digits.origin
    assert not list(datasets.iterdir())
    go_on.set()
    assert finished.wait(5)
    deadline = time.monotonic() + 5
    while list(datasets.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not list(datasets.iterdir())

    with pytest.raises(MimError, match=r"no progress for 0\.2 seconds"):
        load_digits("mnist", patience=0.2, loader=lambda name: time.sleep(1))


def test_slow_download_with_progress_is_awaited(datasets):
    def slow(name):
        for size in range(1, 8):
            (datasets / name).write_bytes(bytes(size))
            time.sleep(0.1)
        return (images(5), None), (images(3), None)

    assert len(load_digits("auto", patience=0.4, loader=slow).train) == 4


def test_choice_is_logged(caplog):
    with caplog.at_level("INFO", logger="absl"):
        load_digits("auto", loader=refusing)
    assert "no route to host" in caplog.text
    assert "4000 train, 500 valid, 1500 test" in caplog.text


def test_sources_and_digits_need_no_keras():
    # A stand-in for the package, because its __init__ imports the models.
    code = f"""
import sys, types
package = types.ModuleType("mim_tf")
package.__path__ = [{os.path.dirname(mim_tf.errors.__file__)!r}]
sys.modules["mim_tf"] = package
import mim_tf.data.moving_mnist.source, mim_tf.data.moving_mnist.npz
import mim_tf.errors
from mim_tf.data.moving_mnist.digits import load_digits
load_digits("bundled")
sys.exit("keras" in sys.modules or "tensorflow" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
