"""A small example of every data set, and configurations of models for them."""

import imageio.v3 as imageio
import numpy as np

from mim_tf.config import ModelConfig
from mim_tf.data.sets.moving_mnist.npz import write_npz
from mim_tf.data.sets.taxibj import synthetic_city
from tests import grid_files
from tests.hko7_files import write_hko7
from tests.sevir_files import write_sevir
from tests.taxibj_files import write_h5


def model_for(shape, total_length=4, **settings):
    """A configuration that takes frames of this shape, two of them as context."""
    sizes = dict(zip(("img_height", "img_width", "img_channel"), shape, strict=True))
    return ModelConfig(patch_size=1, input_length=2, total_length=total_length, **sizes, **settings)


def levels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def saved(path, array):
    (np.save if path.suffix == ".npy" else np.savez)(path, array)
    return path


def write_example(kind, folder):
    """Something `recognise` takes for `kind`, and its number of frames and their size."""
    folder.mkdir()
    if kind == "mnist":
        write_npz(folder / "clips.npz", levels(2, 5, 16, 20, 3), 3)
        return folder / "clips.npz", "5 frames, 16 x 20 x 3"
    if kind == "array":
        np.savez(folder / "videos.npz", levels(2, 5, 16, 20))
        return folder / "videos.npz", "5 frames, 16 x 20 x 1"
    if kind == "taxibj":
        write_h5(folder / "BJ13_M32x32_T30_InOut.h5", *synthetic_city())
        return folder, "8 frames, 32 x 32 x 2"
    if kind == "grid":
        return grid_files.write(folder / "t2m.nc", grid_files.dataset()), "12 frames, 6 x 8 x 2"
    if kind == "radar":
        np.save(folder / "event.npy", np.linspace(0, 60, 21 * 64).reshape(21, 8, 8))
        return folder, "20 frames, 8 x 8 x 1"
    if kind == "sevir":
        write_sevir(folder, count=3)
        return folder, "25 frames, 8 x 8 x 1"
    if kind == "hko7":
        write_hko7(folder)
        return folder, "25 frames, 8 x 12 x 1"
    names = [f"clip/{t}.png" for t in range(20)]
    if kind == "kth":
        takes = [f"{p}_walking_d1_uncomp" for p in ("person01", "person17")]
        names = [f"walking/{take}/image_{t:04d}.jpg" for take in takes for t in range(60)]
    if kind == "human":
        names = [f"{s}_Walking.5_{5 * t:06d}.jpg" for s in ("S1", "S9") for t in range(16)]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        imageio.imwrite(folder / name, levels(24, 24, 3))
    shapes = {"human": "8 frames, 128 x 128 x 3", "kth": "20 frames, 128 x 128 x 1"}
    return folder, shapes.get(kind, "20 frames, 24 x 24 x 3")
