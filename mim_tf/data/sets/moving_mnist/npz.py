"""The `.npz` files of Moving MNIST, as released in 2019.

`input_raw_data`, float `[frames, C, H, W]` in [0, 1], holds the frames of all sequences, and
`clips`, integers `[2, N, 2]`, where each sequence lies in it: (start, length) of its input frames
and of its output frames. If there is an `output_raw_data`, output frames are counted there. `dims`
has a row [C, H, W] for each of the two arrays.
"""

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mim_tf.data.files import arrays
from mim_tf.data.source import Indices, SequenceSource, common_value
from mim_tf.errors import MimError
from mim_tf.storage.paths import check_free, written_whole

KEYS = ("clips", "dims", "input_raw_data")
CHUNK_BYTES = 2**24


class NpzSource(SequenceSource):
    """Sequences of one or several released files, each its input frames, then its output frames.

    Longer sequences than `total_length` are cut to their first frames; without it they are as long
    as in the first file. Clips point into their own file; in the 2019 code those of every file
    pointed into the first. `check` is as for `read_member`.
    """

    size: int

    def __init__(
        self, paths: Sequence[str | Path], total_length: int | None = None, check: bool = True
    ):
        self.paths = [str(path) for path in paths]
        self._files = [_ClipFile(path, check) for path in self.paths]
        total_length = total_length or self._files[0].length
        for file in self._files:
            arrays.check_length(file.path, file.length, total_length)
        shapes = ((file.path, file.frame_shape) for file in self._files)
        channels, height, width = common_value(shapes, "[C, H, W] ")
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
        return super().describe() | {"source": "npz", "paths": self.paths}


class _ClipFile:
    """One released file, checked when it is opened."""

    def __init__(self, path, check):
        self.path = path
        output = [key for key in arrays.member_keys(path) if key == "output_raw_data"]
        raw_keys = ["input_raw_data", *output]
        raw = [arrays.read_member(path, key, "f", 4, check) for key in raw_keys]
        dims = arrays.read_member(path, "dims", "iu", 2)
        expected = [list(frames.shape[1:]) for frames in raw]
        if dims.tolist() != expected or expected[0] != expected[-1]:
            raise MimError(
                f"{path}: Expected dims {expected} of one [C, H, W], got {dims.tolist()}."
            )
        if any(0 in frames.shape for frames in raw):
            raise MimError(f"{path}: Expected at least one frame, got none.")
        self.frame_shape = raw[0].shape[1:]
        self._raw = raw[0], raw[-1]
        clips = _checked_clips(path, self._raw)
        self._starts = clips[:, :, 0].astype(np.int64)
        self.size = clips.shape[1]
        self._context, horizon = map(int, clips[:, 0, 1])
        self.length = self._context + horizon
        for key, frames in zip(raw_keys, raw, strict=True):
            arrays.check_interval(frames, f"{path}, {key}", ("frame",))

    def read(self, n, out):
        """Copy sequence n into `out`, `[T, H, W, C]`."""
        context = min(self._context, len(out))
        parts = out[:context], out[context:]
        for part, raw, start in zip(parts, self._raw, self._starts[:, n], strict=True):
            part[:] = arrays.take(raw, slice(start, start + len(part))).transpose(0, 2, 3, 1)


def _checked_clips(path, raw):
    """Return the clips of a file, whose frames are `raw`, of input and of output."""
    clips = arrays.read_member(path, "clips", "iu", 3)
    if clips.shape[0] != 2 or clips.shape[2] != 2 or clips.shape[1] == 0:
        raise MimError(
            f"{path}: Expected clips [2, N, 2] with at least one sequence, got {list(clips.shape)}."
        )
    for name, rows, frames in zip(("input", "output"), clips, raw, strict=True):
        # Python's integers, because a sum of stored ones may overflow.
        for n, (start, length) in enumerate(rows.tolist()):
            inside = start >= 0 and length >= 1 and start + length <= len(frames)
            if not inside or length != rows[0, 1]:
                raise MimError(
                    f"{path}: Expected {name} clips of one length, within {len(frames)} frames, "
                    f"got start {start}, length {length} for sequence {n}."
                )
    return clips


def write_npz(
    path: str | Path, sequences: np.ndarray, input_length: int, compressed: bool = False
) -> None:
    """Write sequences in the released format, atomically, to a new file.

    They are `[N, T, H, W, C]` or `[N, T, H, W]`, float in [0, 1] or uint8. The first `input_length`
    of the T frames are input, the others output. A `compressed` file is smaller, but is loaded
    whole when it is used.
    """
    source = arrays.ArraySource(sequences, name="sequences")
    count, (total_length, height, width, channels) = len(sequences), source.shape
    if not 0 < input_length < total_length:
        raise MimError(f"Expected an input_length of 1 to {total_length - 1}, got {input_length}.")
    check_free(path, "name")
    starts = np.arange(count)[:, None] * total_length + [0, input_length]
    lengths = np.broadcast_to([input_length, total_length - input_length], starts.shape)
    clips = np.stack([starts.T, lengths.T], axis=-1).astype(np.int32)
    dims = np.array([[channels, height, width]], np.int32)
    shape = count * total_length, channels, height, width
    compression = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with written_whole(path) as part, zipfile.ZipFile(part, "w", compression) as archive:
        for key, array in (("clips", clips), ("dims", dims)):
            with archive.open(f"{key}.npy", "w") as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)
        with archive.open("input_raw_data.npy", "w", force_zip64=True) as stream:
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
            # A few sequences at a time, because all of them may not fit into memory as float32.
            step = max(1, CHUNK_BYTES // (4 * math.prod(source.shape)))
            for start in range(0, count, step):
                frames = source.sequences(range(start, min(start + step, count)))
                stream.write(frames.transpose(0, 1, 4, 2, 3).astype("<f4").tobytes())
