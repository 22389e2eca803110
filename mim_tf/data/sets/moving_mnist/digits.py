"""The digits of MNIST that Moving MNIST moves."""

import contextlib
import dataclasses
import gzip
import hashlib
import http.client
import os
import pathlib
import tempfile
import urllib.request

import numpy as np
from absl import logging

from mim_tf.data.files.npz_member import LARGEST_DEFLATE_RATIO, read_member
from mim_tf.errors import MimError
from mim_tf.storage.paths import opened, written_whole

BUNDLED = pathlib.Path(__file__).with_name("digits.npz")
PARTS = ("train", "valid", "test")
# Those of keras.datasets.mnist.
ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
IDX_HEADER = 16
IDX_IMAGES = b"\x00\x00\x08\x03"
MENDING = "Try again, or choose bundled digits or the path of an mnist.npz."


@dataclasses.dataclass(frozen=True)
class Digits:
    """Digits, levels 0..255.

    No digit is in two of the parts.

    Attributes:
        train: uint8 `[n, 28, 28]`; of MNIST the first 55,000 of its training digits.
        valid: uint8 `[m, 28, 28]`; of MNIST the last 5,000 of them.
        test: uint8 `[k, 28, 28]`; MNIST's own.
        origin: where they come from and why from there.
    """

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    origin: str


def load_digits(choice: str = "auto", patience: float = 10.0) -> Digits:
    """The digits `choice` asks for.

    Args:
        choice: "mnist", Keras' copy, downloaded if need be; "bundled", a small set that comes
            with the package; "auto", the first where it can be had, otherwise the second; or a
            path to an `mnist.npz` (`x_train`, `x_test`) or a folder of MNIST's IDX files.
        patience: seconds without progress after which a download is given up.

    Raises `MimError` if there are none.
    """
    if choice == "bundled":
        digits = _bundled("bundled subset of MNIST")
    elif choice == "mnist":
        digits = _keras_mnist(patience)
    elif choice == "auto":
        try:
            digits = _keras_mnist(patience)
        except MimError as error:
            digits = _bundled(f"bundled subset of MNIST, because {error}")
    elif os.path.isdir(choice):
        train, test = (_read_idx(_find_idx(choice, part)) for part in ("train", "t10k"))
        digits = _divided(train, test, f"IDX files in {choice}")
    elif os.path.isfile(choice):
        digits = _read_mnist(choice, str(choice))
    else:
        raise MimError(
            f"digits: expected auto, bundled, mnist, an mnist.npz or a folder of IDX files, "
            f"received {str(choice)!r}, which is no file or folder. Check the path."
        )
    counts = [f"{len(getattr(digits, part))} {part}" for part in PARTS]
    logging.info("Digits: %s; %s.", digits.origin, ", ".join(counts))
    return digits


def _bundled(origin):
    return Digits(*_read_npz(BUNDLED, *PARTS), origin)


def _read_mnist(path, origin):
    return _divided(*_read_npz(path, "x_train", "x_test"), origin)


def _divided(train, test, origin):
    """`Digits` whose validation part is the last twelfth of MNIST's training digits."""
    rest = len(train) - max(1, len(train) // 12)
    if not rest:
        raise MimError(f"{origin}: expected at least 2 training digits, received {len(train)}.")
    return Digits(train[:rest], train[rest:], test, origin)


def _read_npz(path, *keys):
    arrays = [read_member(path, key, "u", 3) for key in keys]
    for array in arrays:
        _check_images(path, array)
    return arrays


def _check_images(path, images):
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28) or not len(images):
        raise MimError(
            f"{path}: expected digits uint8 [n, 28, 28], received {images.dtype} "
            f"{list(images.shape)}. Use MNIST's own files."
        )


def _find_idx(folder, part):
    names = [f"{part}-images{mark}idx3-ubyte{end}" for mark in "-." for end in ("", ".gz")]
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    raise MimError(
        f"{folder}: expected one of {', '.join(names)}, found none of them. Put MNIST's IDX "
        "files there."
    )


def _read_idx(path):
    """Images of an IDX file: a magic number, three sizes as big-endian uint32, the levels."""
    zipped = path.endswith(".gz")
    with opened(path, "an IDX file of images", remedy="Download it again.") as plain:
        available = os.path.getsize(path) * (LARGEST_DEFLATE_RATIO if zipped else 1)
        file = gzip.GzipFile(fileobj=plain) if zipped else plain
        header = file.read(IDX_HEADER)
        shape = np.frombuffer(header[4:], ">u4").tolist()
        content = int(np.prod(shape, dtype=object))
        if header[:4] != IDX_IMAGES or len(shape) != 3 or content > available:
            raise ValueError("wrong header or too short")
        levels = file.read(content + 1)
        images = np.frombuffer(levels, np.uint8).reshape(shape)
    _check_images(path, images)
    return images


def _keras_mnist(patience):
    """MNIST from Keras' cache, where `keras.datasets.mnist` puts it too, or downloaded there."""
    cached = _keras_datasets() / "mnist.npz"
    if os.path.isfile(cached):
        with contextlib.suppress(MimError):  # A damaged file: download it again.
            return _read_mnist(cached, f"MNIST, {cached}")
    logging.info("Downloading MNIST from %s.", ADDRESS)
    try:
        # Not by Keras, whose downloads have no time limit.
        with urllib.request.urlopen(ADDRESS, timeout=patience) as reply:
            content = reply.read()
    except (OSError, http.client.HTTPException) as error:
        raise MimError(f"MNIST could not be downloaded: {error}. {MENDING}") from None
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise MimError(f"MNIST could not be downloaded: {ADDRESS} sent another file. {MENDING}")
    with written_whole(cached, replace=True) as part:
        part.write_bytes(content)
    return _read_mnist(cached, f"MNIST, downloaded to {cached}")


def _keras_datasets():
    """The folder `keras.utils.get_file` uses."""
    home = pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    if not os.access(home, os.W_OK):
        home = pathlib.Path("/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir(), ".keras")
    return home / "datasets"
