"""The `.npz` files of Moving MNIST, as released in 2019."""

import math
import zipfile
from pathlib import Path

import numpy as np

from mim_tf.data.files.arrays import ArraySource, check_interval, check_length
from mim_tf.data.files.npz_member import CHUNK_BYTES, member_keys, member_shape, read_member
from mim_tf.data.source import Indices, SequenceSource
from mim_tf.errors import MimError
from mim_tf.storage.paths import check_free, written_whole

KEYS = ("clips", "dims", "input_raw_data")


class NpzSource(SequenceSource):
    """Sequences of one or several released files, each its input frames, then its output frames.

    Frames stay in their files unless these are compressed. Clips point into their own file; in
    the 2019 code those of every file pointed into the first.

    Args:
        paths: the files, with frames of one shape. Keys: `clips` integers `[2, N, 2]`, `dims`
            integers `[1, 3]` or, with `output_raw_data`, `[2, 3]`, `input_raw_data` and
            `output_raw_data` float `[frames, C, H, W]` in [0, 1].
        total_length: frames of a sequence; longer ones are cut to their first frames. None: all
            of the first file's.
        check: whether the files are compared with their checksums, as for `read_member`.

    Raises `MimError` for files that cannot be read or whose arrays do not fit each other.
    """

    def __init__(
        self, paths: list[str | Path], total_length: int | None = None, check: bool = True
    ):
        self.paths = [str(path) for path in paths]
        if not self.paths:
            raise MimError("Expected at least one .npz file, received no path.")
        self._files = [_ClipFile(path, check) for path in self.paths]
        total_length = total_length or self._files[0].length
        channels, height, width = self._files[0].frame_shape
        for file in self._files:
            check_length(file.path, file.length, total_length)
            if file.frame_shape != (channels, height, width):
                raise MimError(
                    f"{file.path}: expected the frame shape {[channels, height, width]} "
                    f"[C, H, W] of {self.paths[0]}, received {list(file.frame_shape)}. Files of "
                    "one run need one frame shape."
                )
        self._ends = np.cumsum([file.size for file in self._files])
        self.size = int(self._ends[-1])
        self.shape = (total_length, height, width, channels)

    def sequences(self, indices: Indices) -> np.ndarray:
        indices = np.arange(self.size)[np.asarray(indices, np.int64)]
        out = np.empty((len(indices), *self.shape), np.float32)
        owners = np.searchsorted(self._ends, indices, side="right")
        for sequence, index, owner in zip(out, indices, owners, strict=True):
            file = self._files[owner]
            file.read(index - self._ends[owner] + file.size, sequence)
        return out

    def describe(self) -> dict:
        return super().describe() | {
            "source": "npz",
            "paths": self.paths,
        }


class _ClipFile:
    """One released file, checked once."""

    def __init__(self, path, check):
        self.path = path
        keys = _checked_keys(path)
        clips = read_member(path, "clips", "iu", 3)
        dims = read_member(path, "dims", "iu", 2)
        raw_keys = [key for key in ("input_raw_data", "output_raw_data") if key in keys]
        raw = [read_member(path, key, "f", 4, check) for key in raw_keys]
        self._check_dims(dims, raw)
        self._inputs, self._outputs = raw[0], raw[-1]
        self.frame_shape = self._inputs.shape[1:]
        self._check_clips(clips)
        self._starts = clips[:, :, 0].astype(np.int64)
        self.size = clips.shape[1]
        self._context, horizon = map(int, clips[:, 0, 1])
        self.length = self._context + horizon
        for key, frames in zip(raw_keys, raw, strict=True):
            check_interval(frames, f"{path}, {key}", ("frame",))

    def read(self, n, out):
        """Copies sequence n into `out`, `[T, H, W, C]`."""
        start, context = self._starts[:, n], min(self._context, len(out))
        horizon = len(out) - context
        inputs = self._inputs[start[0] : start[0] + context]
        out[:context] = inputs.transpose(0, 2, 3, 1)
        out[context:] = self._outputs[start[1] : start[1] + horizon].transpose(0, 2, 3, 1)

    def _check_dims(self, dims, raw):
        expected = [list(frames.shape[1:]) for frames in raw]
        if dims.tolist() != expected:
            received = str(dims).replace("\n", "")
            raise MimError(
                f"{self.path}: expected dims {expected}, the [C, H, W] of each array of frames in "
                f"the file, received {received}. Correct dims or the frames."
            )
        if expected[0] != expected[-1]:
            raise MimError(
                f"{self.path}: expected input and output frames of one shape, received "
                f"{expected[0]} and {expected[1]} [C, H, W]. Make them the same."
            )
        if 0 in raw[0].shape or 0 in raw[-1].shape:
            raise MimError(f"{self.path}: expected at least one frame, received none.")

    def _check_clips(self, clips):
        if clips.shape[0] != 2 or clips.shape[2] != 2 or clips.shape[1] == 0:
            raise MimError(
                f"{self.path}: expected clips [2, N, 2] with at least one sequence, received "
                f"shape {list(clips.shape)}."
            )
        names = ("input", "output")
        for name, rows, frames in zip(names, clips, (self._inputs, self._outputs), strict=True):
            # Python's integers, because a sum of stored ones may overflow.
            for n, (start, length) in enumerate(rows.tolist()):
                if start < 0 or length < 1 or start + length > len(frames):
                    raise MimError(
                        f"{self.path}: expected clips within the {len(frames)} {name} frames of "
                        f"the file, received start {start}, length {length} for sequence {n}. "
                        "Correct clips or use the whole file."
                    )
                if length != rows[0, 1]:
                    raise MimError(
                        f"{self.path}: expected {name} clips of one length, received "
                        f"{rows[0, 1]} for sequence 0 and {length} for sequence {n}. Split the "
                        "file by length."
                    )


def npz_frame_shape(path: str | Path) -> tuple[int, int, int]:
    """(H, W, C) of the frames of a released file, from a header. Raises as `NpzSource`."""
    _checked_keys(path)
    _, channels, height, width = member_shape(path, "input_raw_data", "f", 4)
    return height, width, channels


def _checked_keys(path):
    keys = member_keys(path)
    if not set(KEYS) <= set(keys):
        raise MimError(
            f"{path}: expected the keys {', '.join(KEYS)}, found {', '.join(keys) or 'none'}. "
            "Write such a file with mim_tf.data.sets.moving_mnist.npz.write_npz."
        )
    return keys


def write_npz(
    path: str | Path, sequences: np.ndarray, input_length: int, compressed: bool = False
) -> None:
    """Writes sequences in the released format, the whole file or nothing.

    Args:
        path: file to make.
        sequences: `[N, T, H, W, C]` or `[N, T, H, W]`, float in [0, 1] or uint8.
        input_length: how many of the T frames are input; the others are output.
        compressed: makes a smaller file, which is loaded whole when it is used.

    Raises `MimError` if the file exists already, or for other sequences or lengths.
    """
    source = ArraySource(sequences, name="sequences")
    total_length, height, width, channels = source.shape
    if not 0 < input_length < total_length:
        raise MimError(
            f"Expected an input_length of 1 to {total_length - 1} for sequences of {total_length} "
            f"frames, received {input_length}."
        )
    check_free(path, "name")
    starts = np.arange(source.size)[:, None] * total_length + [0, input_length]
    lengths = np.broadcast_to([input_length, total_length - input_length], starts.shape)
    small = {
        "clips": np.stack([starts.T, lengths.T], axis=-1).astype(np.int32),
        "dims": np.array([[channels, height, width]], np.int32),
    }
    compression = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with written_whole(path) as part, zipfile.ZipFile(part, "w", compression) as archive:
        for key, array in small.items():
            with archive.open(f"{key}.npy", "w") as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)
        with archive.open("input_raw_data.npy", "w", force_zip64=True) as stream:
            _write_frames(stream, source)


def _write_frames(stream, source):
    total_length, height, width, channels = source.shape
    shape = source.size * total_length, channels, height, width
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    step = max(1, CHUNK_BYTES // (4 * math.prod(source.shape)))
    for start in range(0, source.size, step):
        frames = source.sequences(range(start, min(start + step, source.size)))
        stream.write(frames.transpose(0, 1, 4, 2, 3).astype("<f4").tobytes())
