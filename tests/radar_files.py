"""Small radar events in each of their layouts."""

import numpy as np

from mim_tf.config import DataConfig
from mim_tf.data.sets.radar import open_radar
from mim_tf.values.scale import LinearScale
from tests.small_pictures import save_pictures

DBZ = LinearScale("dBZ", -10, 60)


def levels(length=5, height=4, width=6, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (length, height, width), dtype=np.uint8)


def save_arrays(folder, frames):
    folder.mkdir()
    for n, frame in enumerate(frames):
        np.save(folder / f"frame{n}.npy", frame)


def save_npy(path, frames):
    np.save(path.with_suffix(".npy"), frames)


def save_npz(path, frames):
    np.savez(path.with_suffix(".npz"), frames=frames, times=np.arange(len(frames)))


def save_compressed(path, frames):
    np.savez_compressed(path.with_suffix(".npz"), anything=frames)


ARRAYS = [save_arrays, save_npy, save_npz, save_compressed]
LEVELS = [*ARRAYS, save_pictures]


def opened(folder, total_length=3, **settings):
    """The windows of all events in `folder`, read as these fields of `DataConfig` say."""
    data = DataConfig("radar", folder, **{"dbz_min": DBZ.low, "dbz_max": DBZ.high, **settings})
    return open_radar(data, "all", None, total_length)
