"""Sources of all that a path holds, in the size it has."""

from pathlib import Path

from mim_tf.config import DataConfig
from mim_tf.config.data import WINDOWED_DATASETS
from mim_tf.data.open import frame_shape, open_part
from mim_tf.data.source import SequenceSource
from mim_tf.data.split import ALL
from mim_tf.errors import MimError

LENGTHS = {
    "taxibj": 8,
    "human": 8,
    "kth": 20,
    "radar": 20,
    "sevir": 25,
    "hko7": 25,
    "folder": 20,
}
"""Frames of a sequence in the published experiments, where the data does not say."""


def open_all(
    path: str | Path, kind: str, data_settings: dict, model_settings: dict
) -> dict[str, SequenceSource]:
    """A source for each split the data set itself has, or one of all.

    Args:
        path: of the data.
        kind: its data set, as from `recognise`.
        data_settings: fields of `DataConfig` that say how it is read; without `window_stride`,
            windows begin `total_length` frames apart.
        model_settings: fields of `ModelConfig` that replace what the data has: `img_width`,
            `img_height` (by default the width, if that is given), `img_channel`, `total_length`.

    Raises:
        MimError: for data that cannot be read.
    """
    length = model_settings.get("total_length") or LENGTHS.get(kind)
    if length is not None and length < 1:
        raise MimError(f"total_length must be at least 1, received {length}.")
    paths = {"dataset": kind, "train_data_paths": str(path), "valid_data_paths": ""}
    read = {"window_stride": length or 1} if kind in WINDOWED_DATASETS else {}
    read |= {"scale": "none"} if kind == "grid" else {}
    data = DataConfig(**{**read, **data_settings, **paths})
    height, width, channels = frame_shape(data)
    width = model_settings.get("img_width") or width
    height = model_settings.get("img_height") or model_settings.get("img_width") or height
    shape = height, width, model_settings.get("img_channel") or channels
    splits = ("train", "test") if kind in ("taxibj", "human", "kth") else (ALL,)
    return {split: open_part(data, split, shape, length) for split in splits}
