"""The state of a run, `training.state`: what `--resume` goes on with, kept twice and checked."""

import hashlib
import os
from pathlib import Path

import h5py
import keras
from absl import logging

from mim_tf.errors import MimError
from mim_tf.runs.folder import PREVIOUS_STATE, STATE
from mim_tf.storage.paths import move_into_place, open_file
from mim_tf.weights import load_weights, save_weights

_MARK = b"\nsha256 "
_TRAILER = len(_MARK) + 64
_BLOCK = 2**20


def save_state(model: keras.Model, folder: Path) -> None:
    """Writes weights, optimizer and counters to `folder`; the state before is kept as well.

    Behind the HDF5 file, which HDF5 does not mind, stands its SHA-256.
    """
    part = folder / f"{STATE}.part"
    try:
        save_weights(model, part, with_optimizer=True)
        with part.open("ab") as file:
            file.write(_MARK + _digest(part, part.stat().st_size).encode())
    except OSError:  # where the disk is full, it should not take room
        part.unlink(missing_ok=True)
        raise
    if (folder / STATE).exists():
        os.replace(folder / STATE, folder / PREVIOUS_STATE)
    move_into_place(part, folder / STATE)


def load_state(model: keras.Model, folder: Path) -> None:
    """Loads the newest good state in `folder`; one that is damaged is named in a warning.

    Raises:
        MimError: if neither of the two states can be used.
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
            logging.warning("%s Going on from the state before, %s.", message, path)
        return
    raise MimError(
        f"{folder} cannot be resumed: {' '.join(damage) or 'it has no state.'} Start a new run "
        "from one of its weights files with --pretrained_model."
    )


def _load(model, path):
    _check_digest(path)
    load_weights(model, path)
    with h5py.File(path) as file:
        if "optimizer" not in file:
            raise MimError(f"{path} is damaged: it has no state of the optimizer.")
    iterations = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    if iterations < 0:
        raise MimError(f"{path} is damaged: it counts {iterations} updates.")


def _check_digest(path):
    """Raises `MimError` if a state is not as it was written; earlier versions kept no SHA-256."""
    with open_file(path, "the state of a run") as file:
        size = path.stat().st_size - _TRAILER
        file.seek(max(size, 0))
        trailer = file.read()
    if not trailer.startswith(_MARK):
        return
    if trailer[len(_MARK) :] != _digest(path, size).encode():
        raise MimError(f"{path} is damaged: its SHA-256 is not the one it was written with.")


def _digest(path, size):
    """SHA-256 of the first `size` bytes."""
    digest = hashlib.sha256()
    with open_file(path, "the state of a run") as file:
        while size > 0 and (block := file.read(min(size, _BLOCK))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()
