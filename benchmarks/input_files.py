"""Files like those of the data sets, of published sizes, with made-up content."""

import io
from pathlib import Path

import av
import numpy as np
import PIL.Image

from mim_tf.data.sets.moving_mnist.digits import load_digits
from mim_tf.data.sets.moving_mnist.npz import write_npz
from mim_tf.data.sets.moving_mnist.source import ColorMovingMNIST, MovingMNIST

RECORDINGS = 10
FRAMES = 100
"""Frames of a recording: four seconds of video, ten hours of radar."""


def moving_mnist_npz(folder: Path, sequences: int) -> Path:
    """The released format, float32."""
    return _npz(MovingMNIST, folder, sequences)


def color_moving_mnist_npz(folder: Path, sequences: int) -> Path:
    """The released format, float32, three channels."""
    return _npz(ColorMovingMNIST, folder, sequences)


def moving_mnist_npy(folder: Path, sequences: int) -> Path:
    """uint8 `[20, N, 64, 64]`, N at least 21, as mnist_test_seq.npy."""
    frames = _levels(MovingMNIST, max(sequences, 21))[..., 0]
    return _saved(folder / "sequences.npy", frames.swapaxes(0, 1))


def arrays(folder: Path, sequences: int) -> Path:
    """uint8 `[N, 20, 64, 64, 3]`, N at least 10."""
    return _saved(folder / "videos.npy", _levels(ColorMovingMNIST, max(sequences, 10)))


def human36m(folder: Path, sequences: int) -> Path:
    """JPEG pictures of 1000x1000 of all subjects, with one window for every ten."""
    pictures = [_jpeg(seed) for seed in range(4)]
    subjects = ("S1", "S5", "S6", "S7", "S8")
    for subject in subjects:
        for n in range(6 + 10 * -(-sequences // len(subjects))):
            name = f"{subject}_Walking_1.54138969_{1 + 5 * n:06d}.jpg"
            (folder / name).write_bytes(pictures[n % len(pictures)])
    return folder


def radar_arrays(folder: Path, sequences: int) -> Path:
    """Events of 64x64 in `.npy` files, float32 in dBZ."""
    for n in range(RECORDINGS):
        np.save(folder / f"event{n}.npy", 70 * _noise(n, (FRAMES, 64, 64)))
    return folder


def radar_pictures(folder: Path, sequences: int) -> Path:
    """Events of 64x64 as folders of PNG files."""
    for n in range(RECORDINGS):
        (folder / f"event{n}").mkdir()
        for t, frame in enumerate(_noise(n, (FRAMES, 64, 64))):
            PIL.Image.fromarray(np.uint8(255 * frame)).save(folder / f"event{n}" / f"{t}.png")
    return folder


def videos(folder: Path, sequences: int) -> Path:
    """MPEG-4 files of 160x120."""
    for n in range(RECORDINGS):
        with av.open(str(folder / f"video{n}.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
            for seed in range(FRAMES):
                frame = av.VideoFrame.from_ndarray(_picture(seed, 160, 120), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return folder


def _npz(generator, folder, sequences):
    write_npz(folder / "sequences.npz", _levels(generator, sequences), input_length=10)
    return folder / "sequences.npz"


def _levels(generator, sequences):
    """uint8 `[N, 20, 64, 64, C]`."""
    source = generator(load_digits("bundled").train, sequences)
    return np.rint(255 * source.sequences(range(sequences))).astype(np.uint8)


def _saved(path, array):
    np.save(path, array)
    return path


def _noise(seed, shape):
    return np.random.default_rng(seed).random(shape, np.float32)


def _picture(seed, width, height):
    """Soft blots of colour, which compress about as well as photographs do."""
    blots = PIL.Image.fromarray(np.uint8(255 * _noise(seed, (height // 20, width // 20, 3))))
    return np.asarray(blots.resize((width, height), PIL.Image.Resampling.BICUBIC))


def _jpeg(seed):
    file = io.BytesIO()
    PIL.Image.fromarray(_picture(seed, 1000, 1000)).save(file, "JPEG", quality=90)
    return file.getvalue()
