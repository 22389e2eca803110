"""Files that are well written, of content that a reader must not believe."""

import gzip
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import PIL.Image

MARKER = "a pickle was loaded"
"""Name of the file that a pickle would write in the working directory."""


class Pickle:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return open, (MARKER, "w")


def replace_content(path: Path, draw: random.Random) -> None:
    """Writes another content of the same format to `path`."""
    _WRITERS[path.suffix](path, draw)


def has_content(path: Path) -> bool:
    """Whether there is other content for files of this format."""
    return path.suffix in _WRITERS


def _variation(array, draw):
    """An array that is like `array`, but for one thing."""
    changed = array.copy()
    if array.dtype.kind == "f":
        values = [np.nan, np.inf, -np.inf, -1e-3, 1e30]
        changed.reshape(-1)[draw.randrange(array.size)] = draw.choice(values)
    pickled = np.empty(array.shape, object)
    pickled[...] = Pickle()
    variations = [
        lambda: changed,
        lambda: pickled,
        lambda: array.astype(array.dtype.newbyteorder(">")),
        lambda: np.asfortranarray(array),
        lambda: np.zeros(array.shape, np.int64),
        lambda: np.zeros(array.shape, np.complex64),
        lambda: np.full(array.shape, "text"),
        lambda: np.zeros(array.shape, [("x", "f4"), ("y", "u1")]),
        lambda: np.zeros(array.shape, bool),
        lambda: np.zeros(array.shape, "M8[s]"),
        lambda: np.full(array.shape, 1e300),
        lambda: np.full(array.shape, 0.5, np.float16),
        lambda: np.zeros((), array.dtype),
        lambda: array[:1],
        lambda: array[:0],
        lambda: array[None],
        lambda: np.zeros((1,) * 32, array.dtype),
    ]
    return draw.choice(variations)()


_SHAPES = ["(1099511627776,)", "(2, 5, 100000, 100000)", "(4611686018427387904, 2, 8, 6)"]
_HEADERS = [
    *(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}" for shape in _SHAPES),
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 5, 8, 6)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-2, -5, 8, 6)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (True, 5, 8, 6)}",
    "{'descr': '|V0', 'fortran_order': False, 'shape': (2, 5, 8, 6)}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (2, 5, 8, 6)}",
    "{'descr': '|u1', 'fortran_order': 7, 'shape': 5}",
    "[" * 500,
    "open('a pickle was loaded', 'w')",
]


def _array_bytes(array, draw):
    """A `.npy` file of a variation of `array`, or with a header that lies."""
    file = io.BytesIO()
    if draw.random() < 0.7:
        np.save(file, _variation(array, draw), allow_pickle=True)
        return file.getvalue()
    header = draw.choice(_HEADERS).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + array.tobytes()


def _npy(path, draw):
    path.write_bytes(_array_bytes(np.load(path), draw))


def _npz(path, draw):
    with np.load(path) as file:
        members = [(f"{key}.npy", file[key]) for key in file.files]
    with zipfile.ZipFile(path) as archive:
        whole = [(info.filename, archive.read(info)) for info in archive.infolist()]
    number = draw.randrange(len(members))
    name, array = members[number]
    compression = draw.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    way = draw.choice(["array"] * 4 + ["twice", "compression", "name", "gone", "bomb", "zeros"])
    if way == "array":
        whole[number] = name, _array_bytes(array, draw)
    elif way == "twice":
        whole.append((name, _array_bytes(array, draw)))
    elif way == "compression":
        compression = draw.choice([zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    elif way == "name":
        whole[number] = draw.choice(["../../a.npy", "/a.npy", "a\x00.npy", "a"]), whole[number][1]
    elif way == "gone":
        del whole[number]
    elif way == "bomb":
        compression = zipfile.ZIP_DEFLATED
        whole[number] = name, whole[number][1] + bytes(2**24)
    else:
        compression = zipfile.ZIP_DEFLATED
        header = _HEADERS[0].replace("1099511627776,", "1099511627776").encode()
        start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header))
        whole[number] = name, start + header + bytes(2**20)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for member, content in whole:
            archive.writestr(member, content)


def _h5(path, draw):
    with h5py.File(path, "a") as file:
        found = []
        file.visititems(lambda name, item: found.append(name) if _is_array(item) else None)
        key = draw.choice(sorted(found))
        values = file[key][()]
        if draw.random() < 0.2 and file.attrs:
            _h5_attribute(file, draw)
            return
        if draw.random() < 0.3:
            wrong = {"f": [np.nan, np.inf, -1e3], "u": [0, 255], "i": [-1, 2**31 - 1]}
            file[key][(0,) * values.ndim] = draw.choice(
                wrong.get(values.dtype.kind, [b"", b"2013999999"])
            )
            return
        del file[key]
        huge = (2**40, *values.shape[1:])
        draw.choice(
            [
                lambda: file.create_dataset(key, values.shape, values.dtype),
                lambda: file.create_dataset(key, huge, "f4", chunks=(1, *values.shape[1:])),
                lambda: file.create_dataset(key, values.shape, values.dtype, chunks=True),
                lambda: file.create_dataset(
                    key, values.shape, "f4", external=[("/dev/zero", 0, 2**20)]
                ),
                lambda: file.__setitem__(key, h5py.SoftLink(f"/{key}")),
                lambda: file.__setitem__(key, h5py.SoftLink("/")),
                lambda: file.__setitem__(key, h5py.ExternalLink("/dev/zero", "/x")),
                lambda: file.__setitem__(key, h5py.Empty("f4")),
                lambda: file.create_group(key),
                lambda: file.__setitem__(key, ["text"] * 3),
                lambda: file.__setitem__(key, np.full(values.shape, 1e300)),
                lambda: file.__setitem__(key, np.zeros(values.shape, np.int64)),
                lambda: file.__setitem__(key, np.zeros(values.shape, ">f8")),
                lambda: file.__setitem__(key, np.zeros(values.shape, np.complex64)),
                lambda: file.__setitem__(key, values[:1]),
                lambda: file.__setitem__(key, values[None]),
            ]
        )()


def _is_array(item):
    return isinstance(item, h5py.Dataset)


def _h5_attribute(file, draw):
    name = draw.choice(sorted(file.attrs))
    text = file.attrs[name]
    if not isinstance(text, (bytes, str)):
        return
    text = text.decode() if isinstance(text, bytes) else text
    value = _changed_json(text, draw) if draw.random() < 0.8 else draw.choice([3.0, [1, 2], "["])
    file.attrs[name] = np.bytes_(value.encode()) if isinstance(value, str) else value


_LEAVES = [None, True, -1, 0, 2**64, 1e308, "", "x" * 5000, [], {}, [[]], {"a": 1}, [1] * 99]
_TEXTS = ["[" * 100_000, "", "null", "[]", "3", "NaN", '{"a": 1e999}', "\ufeff{}", '"', "{}"]


def _changed_json(text, draw):
    """JSON with one value replaced, or another text."""
    if draw.random() < 0.3:
        return draw.choice(_TEXTS)
    content = json.loads(text)
    places = list(_places(content))
    parent, key = draw.choice(places)
    if draw.random() < 0.15 and isinstance(parent, dict):
        del parent[key]
    elif draw.random() < 0.4:
        parent[key] = "@"
        number = draw.choice(["NaN", "Infinity", "1e999", "-1e999", "1" * 4000, "1" * 5000])
        return json.dumps(content).replace('"@"', number)
    else:
        parent[key] = draw.choice(_LEAVES)
    return json.dumps(content)


def _places(content):
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        yield content, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _json(path, draw):
    path.write_text(_changed_json(path.read_text(), draw), encoding="utf-8")


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


def _text(path, draw):
    lines = path.read_bytes().split(b"\n")
    lines.insert(draw.randrange(len(lines)), draw.choice(_LINES))
    path.write_bytes(b"\n".join(lines))


def _picture(path, draw):
    with PIL.Image.open(path) as image:
        image.load()
    wide, high = image.size
    draw.choice(
        [
            lambda: image.resize((wide + 1, high)).save(path),
            lambda: image.resize((1, 1)).save(path),
            lambda: image.convert("L").save(path),
            lambda: image.convert("RGB").save(path),
            lambda: image.convert("1").save(path, format="PNG"),
            lambda: image.convert("RGB").save(path, format="GIF"),
            lambda: path.write_bytes(_png(wide, high, high // 2)),
            lambda: path.write_bytes(_png(wide, high, high - 1)),
            lambda: path.write_bytes(_png(13_000, 13_000, 2)),
            lambda: path.write_bytes(_png(60_000, 60_000, 2)),
            lambda: path.write_bytes(_png(2**31 - 1, 2**31 - 1, 0)),
            lambda: path.write_bytes(_png(0, 0, 0)),
        ]
    )()


def _png(width, height, rows):
    """A grey PNG that has fewer `rows` than it says."""
    levels = zlib.compress((b"\x00" + b"\x80" * min(width, 2**14)) * rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", levels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


_PLAYLISTS = [
    b"ffconcat version 1.0\nfile /etc/passwd\n",
    b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
    b"#EXTM3U\n#EXTINF:1,\nfile:///dev/zero\n",
    b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
]


def _video(path, draw):
    path.write_bytes(draw.choice(_PLAYLISTS))


def _gz(path, draw):
    content = gzip.decompress(path.read_bytes())
    content = draw.choice(
        [
            content + bytes(2**24),
            content[:4] + b"\xff" * 12 + content[16:],
            content[:4] + struct.pack(">III", 2**20, 28, 28) + bytes(2**24),
            b"\x00\x00\x0d\x03" + content[4:],
            content[:12],
            content[:-1],
        ]
    )
    path.write_bytes(gzip.compress(content))


_WRITERS: dict[str, Callable[[Path, random.Random], None]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".h5": _h5,
    ".state": _h5,
    ".json": _json,
    ".csv": _text,
    ".cfg": _text,
    ".gz": _gz,
    **dict.fromkeys([".png", ".jpg", ".bmp", ".tif"], _picture),
    **dict.fromkeys([".mp4", ".avi", ".mkv", ".gif"], _video),
}
