"""Corrupted files of every format: they are refused, or read as frames in [0, 1]."""

import gzip
import struct

import imageio.v3 as imageio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import ArraySource, open_npy
from mim_tf.data.files.images import FrameFormat, read_image
from mim_tf.data.files.recordings import Video, array_recordings, open_recordings
from mim_tf.data.sets.moving_mnist.digits import load_digits
from mim_tf.data.sets.moving_mnist.npz import NpzSource, write_npz
from mim_tf.errors import MimError
from tests import radar_files, taxibj_files
from tests.small_videos import numbered_frames, write_video

FRAMES = np.linspace(0, 1, 2 * 5 * 4 * 6, dtype=np.float32).reshape(2, 5, 4, 6)
LEVELS = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)


def every(source):
    return source.sequences(range(source.size))


def read_video(path):
    video = Video(path, FrameFormat((4, 4, 3), resize=True))
    return video.read([0, video.length - 1])


def read_radar(path):
    folder = path.parent.parent if path.parent.name == "event" else path.parent
    return every(radar_files.opened(folder, 1))


def read_digits(path):
    return load_digits(str(path.parent)).train / 255


def write_digits(path):
    for name in (path.name, path.name.replace("train", "t10k")):
        content = struct.pack(">IIII", 0x803, *LEVELS.shape) + LEVELS.tobytes()
        zipped = name.endswith(".gz")
        path.with_name(name).write_bytes(gzip.compress(content) if zipped else content)


def write_cells(path, **options):
    counts = taxibj_files.counts(191, 1)[..., :1, :1]
    taxibj_files.write_h5(path, counts, taxibj_files.DATES_2013, **options)


def write_dataset(path):
    values = np.random.default_rng(0).uniform(-1, 1, (4, 1, 2, 2, 1, 1))
    np.savez(path, **dict(zip(("X_train", "Y_train", "X_test", "Y_test"), values, strict=True)))


def radar_writer(save):
    def write(path):
        in_folder = path.parent.name == "event"
        if in_folder:
            path.parent.rmdir()
        frames = radar_files.levels(1 if in_folder else 3)
        save(path.parent if in_folder else path, frames)

    return write


# Path -> how an example is written there, and how it is read.
FILES = {
    "a.npy": (lambda p: np.save(p, FRAMES), lambda p: every(ArraySource(open_npy(p)))),
    "a.npz": (
        lambda p: np.savez_compressed(p, FRAMES),
        lambda p: every(open_recordings(array_recordings(p), (4, 6, 1), 2, DataConfig("array"))),
    ),
    "clips.npz": (lambda p: write_npz(p, FRAMES, 2), lambda p: every(NpzSource([p]))),
    "small/clips.npz": (lambda p: write_npz(p, FRAMES, 2, True), lambda p: every(NpzSource([p]))),
    "a.png": (lambda p: imageio.imwrite(p, LEVELS[0]), lambda p: read_image(p) / 255),
    "a.jpg": (lambda p: imageio.imwrite(p, LEVELS[0]), lambda p: read_image(p) / 255),
    "a.tif": (lambda p: imageio.imwrite(p, LEVELS[0]), lambda p: read_image(p) / 65535),
    "a.mp4": (lambda p: write_video(p, numbered_frames(4), "mpeg4", "yuv420p"), read_video),
    "a.avi": (lambda p: write_video(p, numbered_frames(4), "mjpeg", "yuvj420p"), read_video),
    "a.gif": (lambda p: write_video(p, numbered_frames(4), "gif", "rgb8"), read_video),
    "train-images-idx3-ubyte": (write_digits, read_digits),
    "train-images.idx3-ubyte.gz": (write_digits, read_digits),
    "a.h5": (write_cells, lambda p: every(taxibj_files.open_small(p))),
    "small/a.h5": (
        lambda p: write_cells(p, compression="gzip"),
        lambda p: every(taxibj_files.open_small(p)),
    ),
    "dataset.npz": (write_dataset, lambda p: every(taxibj_files.open_city([p], "train", 4))),
    "event.npy": (radar_writer(radar_files.save_npy), read_radar),
    "event.npz": (radar_writer(radar_files.save_npz), read_radar),
    "small/event.npz": (radar_writer(radar_files.save_compressed), read_radar),
    "event/frame0.npy": (radar_writer(radar_files.save_arrays), read_radar),
    "event/frame0.png": (radar_writer(radar_files.save_pictures), read_radar),
}


@pytest.fixture(params=FILES)
def example(request, tmp_path):
    """A path, its good content, and how it is read."""
    write, read = FILES[request.param]
    path = tmp_path / "data" / request.param
    path.parent.mkdir(parents=True)
    write(path)
    assert read(path).max() > 0
    return path, path.read_bytes(), read


def test_truncated_and_empty_files_are_refused(example):
    path, whole, read = example
    contents = [b"", b"hello, this is no data" * 9, whole[:20], whole[: len(whole) // 2]]
    if path.suffix == ".avi":  # FFmpeg cannot tell where such a file ends.
        contents.pop()
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(MimError, match=path.name):
            read(path)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_bytes_raise_nothing_but_mim_error(example):
    path, whole, read = example
    # Structures are at the beginning; most of the rest are values.
    places = st.integers(0, min(3000, len(whole) - 1)) | st.integers(0, len(whole) - 1)

    @settings(max_examples=40, deadline=None)
    @given(st.dictionaries(places, st.integers(0, 255), min_size=1, max_size=4))
    def check(changes):
        damaged = bytearray(whole)
        for position, value in changes.items():
            damaged[position] = value
        path.write_bytes(damaged)
        try:
            frames = read(path)
        except MimError:
            return
        assert frames.min() >= 0
        assert frames.max() <= 1

    check()
