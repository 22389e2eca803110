"""That nothing is both trained on and validated on."""

import numpy as np
from absl import logging

from mim_tf.config import DataConfig
from mim_tf.data.source import SequenceSource
from mim_tf.data.split import split_paths
from mim_tf.errors import MimError

_LOOKED_AT = 16


def check_overlap(train: SequenceSource, valid: SequenceSource, data: DataConfig) -> None:
    """Looks for copies: compares the first and last 16 sequences of two sources.

    A copy is an error where the two have paths of their own, and a warning where one set is
    divided, whose copies are its owner's. Still sequences are passed over.

    Args:
        train: to train on.
        valid: to validate on.
        data: what they were opened with.

    Raises:
        MimError: if one of them is in both.
    """
    if train.size is None or valid.size is None:
        return
    known = _contents(train)
    for content, index in _contents(valid).items():
        if content in known:
            copy = (
                f"Sequence {index} to validate on is sequence {known[content]} to train on, value "
                "for value"
            )
            if not split_paths(data, "train")[1]:
                raise MimError(
                    f"{copy}: no sequence may be in both. Give one path, which is then divided, or "
                    "leave the copies out of one of train_data_paths and valid_data_paths."
                )
            logging.warning("%s: scores of copies say little.", copy)
            return


def _contents(source):
    """Bytes -> index of the first and last sequences in which anything moves."""
    count = source.size
    indices = sorted({*range(min(count, _LOOKED_AT)), *range(max(0, count - _LOOKED_AT), count)})
    found = {}
    for index in indices:
        frames = source.sequences(np.array([index]))[0]
        if (frames[1:] != frames[0]).any():
            found.setdefault(frames.tobytes(), index)
    return found
