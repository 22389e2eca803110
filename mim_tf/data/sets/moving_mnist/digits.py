"""The digits that Moving MNIST moves: MNIST, or a small set that comes with the package."""

import contextlib
import gzip
import hashlib
import http.client
import os
import pathlib
import tempfile
import urllib.request
from typing import NamedTuple

import numpy as np
from absl import logging

from mim_tf.data.files.arrays import LARGEST_DEFLATE_RATIO, MASKS, read_member, warn_once
from mim_tf.errors import MimError
from mim_tf.storage.paths import opened, written_whole

BUNDLED = pathlib.Path(__file__).with_name("digits.npz")
PARTS = ("train", "valid", "test")
# The file of keras.datasets.mnist.
ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
IDX_IMAGES = b"\x00\x00\x08\x03"


class Digits(NamedTuple):
    """Digits, uint8 `[n, 28, 28]`, none of them in two parts; `origin` says where they come from.

    Of MNIST's training digits the first 55,000 are `train` and the last 5,000 `valid`.
    """

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    origin: str


def load_digits(choice: str = "auto", patience: float = 10.0) -> Digits:
    """Load the digits of --digits; give a download up after `patience` seconds without progress.

    "mnist" is Keras' copy, downloaded if need be; "bundled" a small set that comes with the
    package; "auto" the first if it can be had, otherwise the second. Otherwise `choice` is the path
    of an `mnist.npz` (`x_train`, `x_test`) or a folder of MNIST's IDX files.
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
            "Expected --digits to be auto, bundled, mnist, an mnist.npz or a folder of IDX files, "
            f"got {str(choice)!r}."
        )
    counts = [f"{len(getattr(digits, part))} {part}" for part in PARTS]
    logging.info("Digits: %s; %s.", digits.origin, ", ".join(counts))
    return digits


def _bundled(origin):
    return Digits(*(read_member(BUNDLED, part) for part in PARTS), origin)


def _read_mnist(path, origin):
    parts = (_checked(path, read_member(path, key, "u", 3)) for key in ("x_train", "x_test"))
    return _divided(*parts, origin)


def _divided(train, test, origin):
    """Take the last twelfth of MNIST's training digits for validation."""
    rest = len(train) - max(1, len(train) // 12)
    if not rest:
        raise MimError(f"{origin}: Expected at least 2 training digits, got {len(train)}.")
    return Digits(train[:rest], train[rest:], test, origin)


def _checked(path, images):
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28) or not len(images):
        raise MimError(
            f"{path}: Expected digits uint8 [n, 28, 28], got {images.dtype} {list(images.shape)}."
        )
    if images.max() == 1:
        warn_once(MASKS, path)
    return np.array(images)  # of a mapped file, which may change while a run reads it


def _find_idx(folder, part):
    names = [f"{part}-images{mark}idx3-ubyte{end}" for mark in "-." for end in ("", ".gz")]
    paths = [os.path.join(folder, name) for name in names]
    found = next(filter(os.path.isfile, paths), None)
    if found is None:
        raise MimError(f"{folder}: Expected one of {', '.join(names)}, got none of them.")
    return found


def _read_idx(path):
    """Read the images of an IDX file: magic number, three sizes as big-endian uint32, levels."""
    zipped = path.endswith(".gz")
    with opened(path, "an IDX file of images", remedy="Download it again.") as plain:
        available = os.path.getsize(path) * (LARGEST_DEFLATE_RATIO if zipped else 1)
        file = gzip.GzipFile(fileobj=plain) if zipped else plain
        header = file.read(16)
        shape = np.frombuffer(header[4:], ">u4").tolist()
        content = int(np.prod(shape, dtype=object))
        if header[:4] != IDX_IMAGES or len(shape) != 3 or content > available:
            raise ValueError("wrong header or too short")
        levels = file.read(content + 1)
        return _checked(path, np.frombuffer(levels, np.uint8).reshape(shape))


def _keras_mnist(patience):
    """Read MNIST from the cache of `keras.datasets.mnist`, or download it there."""
    home = pathlib.Path(os.path.expanduser(os.environ.get("KERAS_HOME", "~/.keras")))
    if not os.access(home, os.W_OK):  # as keras.utils.get_file does
        home = pathlib.Path("/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir(), ".keras")
    cached = home / "datasets" / "mnist.npz"
    if os.path.isfile(cached):
        with contextlib.suppress(MimError):  # If it is corrupted, download it again.
            return _read_mnist(cached, f"MNIST, {cached}")
    logging.info("Downloading MNIST from %s.", ADDRESS)
    try:
        # Not by keras.utils.get_file, which has no time limit and does not write atomically.
        with urllib.request.urlopen(ADDRESS, timeout=patience) as reply:
            content = reply.read()
        if hashlib.sha256(content).hexdigest() != SHA256:
            raise OSError(f"{ADDRESS} sent another file")
    except (OSError, http.client.HTTPException) as error:
        raise MimError(
            f"MNIST could not be downloaded: {error}. Try again, or set --digits to bundled or the "
            "path of an mnist.npz."
        ) from None
    with written_whole(cached, replace=True) as part:
        part.write_bytes(content)
    return _read_mnist(cached, f"MNIST, downloaded to {cached}")
