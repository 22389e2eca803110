"""The file `training.state`, from which `--resume` continues: weights, optimizer and counters.

Two states are kept. Each ends with its SHA-256, so that a corrupted state is detected and the
previous state used instead.
"""

import hashlib
import os
from pathlib import Path

import keras
from absl import logging

from mim_tf.errors import MimError
from mim_tf.runs.folder import PREVIOUS_STATE, STATE
from mim_tf.storage.paths import open_file, replaced_whole
from mim_tf.weights.hdf5 import read_hdf5, save_weights

_MARK = b"\nsha256 "
_TRAILER = len(_MARK) + 64


def save_state(model: keras.Model, folder: Path) -> None:
    """Write the state of `model` to `folder` atomically, and keep the previous state."""
    with replaced_whole(folder / STATE) as part:
        save_weights(model, part, with_optimizer=True)
        with part.open("r+b") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.write(_MARK + digest.encode())  # HDF5 ignores bytes after its end
        # A kill between the two renames leaves the previous state, which `load_state` accepts.
        if (folder / STATE).exists():
            os.replace(folder / STATE, folder / PREVIOUS_STATE)


def load_state(model: keras.Model, folder: Path) -> None:
    """Load the newest intact state in `folder`; log a warning for a corrupted one.

    Raises:
        MimError: if neither state can be used.
    """
    damage = []
    for path in (folder / STATE, folder / PREVIOUS_STATE):
        if not os.path.lexists(path):
            continue
        try:
            _load(model, path)
        except MimError as error:
            damage.append(str(error))
            continue
        for message in damage:
            logging.warning("%s Resuming from the previous state, %s.", message, path)
        return
    raise MimError(
        f"Expected a state to resume in {folder}, got: {' '.join(damage) or 'no state.'} Start a "
        "new run from one of its weights files with --pretrained_model."
    )


def _load(model, path):
    _check_digest(path)
    stored = read_hdf5(path)
    if stored.optimizer is None:
        raise MimError(f"{path} is corrupted: it contains no state of the optimizer.")
    stored.load(model)
    iterations = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    if iterations < 0:
        raise MimError(f"{path} is corrupted: its count of updates is {iterations}.")


def _check_digest(path):
    with open_file(path, "the state of a run") as file:
        content = memoryview(file.read())
    trailer = bytes(content[-_TRAILER:])
    digest = hashlib.sha256(content[:-_TRAILER]).hexdigest()
    # Earlier versions wrote no SHA-256.
    if trailer.startswith(_MARK) and trailer[len(_MARK) :] != digest.encode():
        raise MimError(f"{path} is corrupted: its SHA-256 does not match its content.")
