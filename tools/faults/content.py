"""Files that are well written, with content that a reader must reject."""

import gzip
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import PIL.Image

from tests.small_pictures import png

MARKER = "a pickle was loaded"
"""Name of the file that a pickle would write in the working directory."""


class Pickle:
    """Object that writes a file when it is unpickled."""

    def __reduce__(self):
        return open, (MARKER, "w")


def _variation(array, draw):
    """Return an array that differs from `array` in one respect."""
    changed = array.copy()
    if array.dtype.kind == "f":
        values = [np.nan, np.inf, -np.inf, -1e-3, 1e30]
        changed.reshape(-1)[draw.randrange(array.size)] = draw.choice(values)
    shape, pickled = array.shape, np.empty(array.shape, object)
    pickled[...] = Pickle()
    dtypes = [np.int64, np.complex64, [("x", "f4"), ("y", "u1")], bool, "M8[s]"]
    return draw.choice(
        [
            changed,
            pickled,
            array.astype(array.dtype.newbyteorder(">")),
            np.asfortranarray(array),
            *(np.zeros(shape, dtype) for dtype in dtypes),
            np.full(shape, "text"),
            np.full(shape, 1e300),
            np.full(shape, 0.5, np.float16),
            np.zeros((), array.dtype),
            array[:1],
            array[:0],
            array[None],
            np.zeros((1,) * 32, array.dtype),
        ]
    )


def _header(dtype, shape, order="False"):
    return f"{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': {shape}}}"


_HEADERS = [
    _header("<f4", "(1099511627776,)"),
    _header("<f4", "(2, 5, 100000, 100000)"),
    _header("<f4", "(4611686018427387904, 2, 8, 6)"),
    *(_header("|u1", f"({shape}, 8, 6)") for shape in ("-1, 5", "-2, -5", "True, 5")),
    _header("|V0", "(2, 5, 8, 6)"),
    _header("|O", "(2, 5, 8, 6)"),
    _header("|u1", "5", "7"),
    "[" * 500,
    "open('a pickle was loaded', 'w')",
]


def _with_header(header, content):
    header = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def _array_bytes(array, draw):
    """Return a `.npy` file of a variation of `array`, or with a header that does not fit it."""
    if draw.random() > 0.7:
        return _with_header(draw.choice(_HEADERS), array.tobytes())
    file = io.BytesIO()
    np.save(file, _variation(array, draw), allow_pickle=True)
    return file.getvalue()


def _npz(path, draw):
    with zipfile.ZipFile(path) as archive:
        whole = [(info.filename, archive.read(info)) for info in archive.infolist()]
    number = draw.randrange(len(whole))
    name, content = whole[number]
    array = np.load(io.BytesIO(content))
    compression = draw.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    way = draw.choice(["array"] * 4 + ["twice", "compression", "name", "gone", "bomb", "zeros"])
    if way == "array":
        whole[number] = name, _array_bytes(array, draw)
    elif way == "twice":
        whole.append((name, _array_bytes(array, draw)))
    elif way == "compression":
        compression = draw.choice([zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    elif way == "name":
        whole[number] = draw.choice(["../../a.npy", "/a.npy", "a\x00.npy", "a"]), content
    elif way == "gone":
        del whole[number]
    else:  # a bomb
        compression = zipfile.ZIP_DEFLATED
        long = content + bytes(2**24)
        whole[number] = name, long if way == "bomb" else _with_header(_HEADERS[0], bytes(2**20))
    with zipfile.ZipFile(path, "w", compression) as archive:
        for member, content in whole:
            archive.writestr(member, content)


def _h5(path, draw):
    with h5py.File(path, "a") as file:
        found: list[str] = []
        file.visititems(
            lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None
        )
        key = draw.choice(sorted(found))
        values = file[key][()]
        if draw.random() < 0.2 and file.attrs:
            _h5_attribute(file, draw)
        elif draw.random() < 0.3:
            wrong = {"f": [np.nan, np.inf, -1e3], "u": [0, 255], "i": [-1, 2**31 - 1]}
            texts = [b"", b"2013999999"]
            file[key][(0,) * values.ndim] = draw.choice(wrong.get(values.dtype.kind, texts))
        else:
            del file[key]
            _h5_item(file, key, values, draw)


def _h5_item(file, key, values, draw):
    """Put another item instead of an array."""
    shape, part = values.shape, (1, *values.shape[1:])
    options = draw.choice(
        [
            {"shape": shape, "dtype": values.dtype},
            {"shape": (2**40, *shape[1:]), "dtype": "f4", "chunks": part},
            {"shape": shape, "dtype": values.dtype, "chunks": True},
            {"shape": shape, "dtype": "f4", "external": [("/dev/zero", 0, 2**20)]},
            h5py.SoftLink(f"/{key}"),
            h5py.SoftLink("/"),
            h5py.ExternalLink("/dev/zero", "/x"),
            h5py.Empty("f4"),
            None,
            ["text"] * 3,
            np.full(shape, 1e300),
            *(np.zeros(shape, dtype) for dtype in (np.int64, ">f8", np.complex64)),
            np.atleast_1d(values)[:1],
            values[None],
        ]
    )
    if options is None:
        file.create_group(key)
    elif isinstance(options, dict):
        file.create_dataset(key, **options)
    else:
        file[key] = options


def _h5_attribute(file, draw):
    name = draw.choice(sorted(file.attrs))
    text = file.attrs[name]
    if not isinstance(text, bytes | str):
        return
    text = text.decode() if isinstance(text, bytes) else text
    value = _changed_json(text, draw) if draw.random() < 0.8 else draw.choice([3.0, [1, 2], "["])
    file.attrs[name] = np.bytes_(value.encode()) if isinstance(value, str) else value


_LEAVES = [None, True, -1, 0, 2**64, 1e308, -1e308, 5e-324, 0.5, "1", [], {}, [[]], {"a": 1}]
_LEAVES += [[1] * 99, [None], ["a", 2], "", "x" * 5000, "\ud800", "\x1b[31m\0", "<b>$_$\r\n|"]
_NUMBERS = ["NaN", "Infinity", "1e999", "-1e999", "1" * 4000, "1" * 5000]
_TEXTS = ["[" * 100_000, "", "null", "[]", "3", "NaN", '{"a": 1e999}', "\ufeff{}", '"', "{}"]


def _changed_json(text, draw):
    """Return JSON with one value replaced, or another text."""
    content = json.loads(text)
    if not content:
        return draw.choice(_TEXTS)
    parent, key = _place(content, draw)
    if draw.random() < 0.15 and isinstance(parent, dict):
        del parent[key]
    elif draw.random() < 0.4:
        parent[key] = "@"
        return json.dumps(content).replace('"@"', draw.choice(_NUMBERS))
    else:
        parent[key] = draw.choice(_LEAVES)
    return json.dumps(content)


def _place(content, draw):
    """Return a container in `content` and a key of it; one near the top is likely."""
    key = draw.choice([*content] if isinstance(content, dict) else range(len(content)))
    inner = content[key]
    if inner and isinstance(inner, dict | list) and draw.random() < 0.8:
        return _place(inner, draw)
    return content, key


_LINES = [
    b"\xff\xfe\xf8",
    b"a\x00b",
    b"x" * 10**6,
    b"nan,inf",
    b"1e999,-1",
    b"--lr=nan",
    b'"',
    b"\r",
]
_CELLS = [b"", b"nan", b"inf", b"1e308", b"-1e308", b"5e-324", b"-1", b"0.5", b"mse", b'"\n"']


def _cell(path, draw):
    rows = [line.split(b",") for line in path.read_bytes().splitlines()]
    row = draw.choice([rows[0], *rows])  # the header as often as two rows
    row[draw.randrange(len(row))] = draw.choice(_CELLS)
    path.write_bytes(b"".join(b",".join(row) + b"\n" for row in rows))


def _text(path, draw):
    if path.suffix == ".csv" and draw.random() < 0.7:
        return _cell(path, draw)
    lines = path.read_bytes().split(b"\n")
    lines.insert(draw.randrange(len(lines)), draw.choice(_LINES))
    path.write_bytes(b"\n".join(lines))


def _picture(path, draw):
    with PIL.Image.open(path) as image:
        image.load()
    wide, high = image.size
    sizes = [(wide, high, high // 2), (wide, high, high - 1), (13_000, 13_000, 2)]
    sizes += [(60_000, 60_000, 2), (2**31 - 1, 2**31 - 1, 0), (0, 0, 0)]
    change = draw.choice(["wider", "one pixel", "L", "RGB", "1", "GIF", *sizes])
    if isinstance(change, tuple):
        width, height, rows = change  # fewer than the header says
        path.write_bytes(png(width, height, (b"\x00" + b"\x80" * min(width, 2**14)) * rows))
    elif change in ("wider", "one pixel"):
        image.resize((wide + 1, high) if change == "wider" else (1, 1)).save(path)
    elif change == "GIF":
        image.convert("RGB").save(path, format="GIF")
    else:
        image.convert(change).save(path, format="PNG" if change == "1" else None)


_PLAYLISTS = [
    b"ffconcat version 1.0\nfile /etc/passwd\n",
    b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
    b"#EXTM3U\n#EXTINF:1,\nfile:///dev/zero\n",
    b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
]


def _gz(path, draw):
    content = gzip.decompress(path.read_bytes())
    contents = [
        content + bytes(2**24),
        content[:4] + b"\xff" * 12 + content[16:],
        content[:4] + struct.pack(">III", 2**20, 28, 28) + bytes(2**24),
        b"\x00\x00\x0d\x03" + content[4:],
        content[:12],
        content[:-1],
    ]
    path.write_bytes(gzip.compress(draw.choice(contents)))


WRITERS: dict[str, Callable[[Path, random.Random], object]] = {
    ".npy": lambda path, draw: path.write_bytes(_array_bytes(np.load(path), draw)),
    ".npz": _npz,
    **dict.fromkeys(
        [".json", ".zarray", ".zattrs", ".zgroup"],
        lambda path, draw: path.write_text(_changed_json(path.read_text(), draw), "utf-8"),
    ),
    ".gz": _gz,
    **dict.fromkeys([".h5", ".state"], _h5),
    **dict.fromkeys([".csv", ".cfg"], _text),
    **dict.fromkeys([".png", ".jpg", ".bmp", ".tif"], _picture),
    **dict.fromkeys(
        [".mp4", ".avi", ".mkv", ".gif"],
        lambda path, draw: path.write_bytes(draw.choice(_PLAYLISTS)),
    ),
}
"""Suffix, or name without one -> function that writes other content of the same format to it."""
