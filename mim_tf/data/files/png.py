"""Whether a PNG file holds all that it says it does."""

import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# First column and row of each pass of an interlaced picture, and the steps between them (Adam7).
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
_PASSES += ((0, 1, 1, 2),)
_BLOCK = 2**20


def check_png(file: BinaryIO) -> None:
    """Raises `ValueError` if a PNG's checksums are wrong, or it has fewer rows than it says.

    Pillow looks at neither in the part that holds the pixels: missing rows would be black. Other
    files are not looked at.
    """
    position = file.tell()
    file.seek(0)
    if file.read(len(_SIGNATURE)) == _SIGNATURE:
        _check_chunks(file)
    file.seek(position)


def _check_chunks(file):
    expected, found, unpack = 0, 0, zlib.decompressobj()
    for kind, data in _chunks(file):
        if kind == b"IHDR":
            expected = _bytes_of_pixels(*struct.unpack(">IIBBxxB", data))
        elif kind == b"IDAT":
            for block in _unpacked(unpack, data):
                found += len(block)
                if found > expected:  # nobody reads what is behind the last row
                    break
    if found < expected or (found == expected and not unpack.eof):
        raise ValueError(f"it has {found} of {expected} bytes of pixels")


def _chunks(file) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk up to the last, once its checksum is compared."""
    kind, length = b"", os.fstat(file.fileno()).st_size
    while kind != b"IEND":
        size, kind = struct.unpack(">I4s", file.read(8))
        if size > length:
            raise ValueError("it ends early")
        data = file.read(size)
        if file.read(4) != struct.pack(">I", zlib.crc32(kind + data)):
            raise ValueError("its checksum is wrong")
        yield kind, data


def _unpacked(unpack, data) -> Iterator[bytes]:
    while data and not unpack.eof:
        yield unpack.decompress(data, _BLOCK)
        data = unpack.unconsumed_tail


def _bytes_of_pixels(width, height, depth, color, interlaced):
    bits = depth * _CHANNELS[color]
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    total = 0
    for column, row, across, down in passes:
        columns, rows = -(-(width - column) // across), -(-(height - row) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total
