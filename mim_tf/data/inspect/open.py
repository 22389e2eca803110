"""Sources of all that a path holds, in the size it has."""

from pathlib import Path

from mim_tf.config import DataConfig
from mim_tf.data.files.array_videos import array_recordings
from mim_tf.data.files.folder import list_recordings, native_shape, open_recordings
from mim_tf.data.human36m import open_human36m
from mim_tf.data.moving_mnist.npz import NpzSource
from mim_tf.data.open import radar_source
from mim_tf.data.radar.source import list_events
from mim_tf.data.source import SequenceSource
from mim_tf.data.taxibj import open_taxibj

HUMAN_SIZE = (128, 128)
LENGTHS = {"taxibj": 8, "human": 8, "radar": 20, "folder": 20}


def open_all(path, kind: str, data: DataConfig, total_length: int = 0) -> dict[str, SequenceSource]:
    """A source for each split the data set itself has, or one of all.

    Windows of recordings do not overlap.

    Args:
        path: of the data.
        kind: as from `recognise`, other than "weights".
        data: says how radar and TaxiBJ are to be read.
        total_length: frames of a sequence; 0: as in the file, of TaxiBJ and Human3.6M the 8, of
            radar and videos the 20 of the published experiments.

    Raises:
        MimError: for data that cannot be read.
    """
    path, length = Path(path), total_length or LENGTHS.get(kind)
    if kind == "mnist":
        return {"all": NpzSource([path], length)}
    if kind == "taxibj":
        return {
            split: open_taxibj([path], split, length, data.taxibj_order, data.taxibj_split)
            for split in ("train", "test")
        }
    if kind == "human":
        return {
            split: open_human36m([path], split, length, *HUMAN_SIZE) for split in ("train", "test")
        }
    if kind == "radar":
        return {"all": radar_source(list_events(path), data, length, stride=length)}
    if kind == "array":
        recordings = array_recordings(path)
        length = length or recordings[0].length
    else:
        recordings = list_recordings(path)
    shape = native_shape(recordings[0])
    return {"all": open_recordings(recordings, shape, length, stride=length)}
