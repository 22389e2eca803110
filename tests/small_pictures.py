"""Tiny pictures, of frames and byte by byte."""

import struct
import zlib

import imageio.v3 as imageio


def save_pictures(folder, frames, name="frame{}.png"):
    """Write each frame under its number; return the folder, which is made."""
    folder.mkdir(parents=True)
    for n, frame in enumerate(frames):
        imageio.imwrite(folder / name.format(n), frame)
    return folder


def png(width, height, rows, bits=8, colour=0):
    """A PNG of `rows`, each with the number of its filter, in two chunks of pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    pixels = zlib.compress(rows)
    chunks = (b"IHDR", header), (b"IDAT", pixels[:5]), (b"IDAT", pixels[5:]), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
