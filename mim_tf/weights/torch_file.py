"""PyTorch's weight files (`.pth`, `.ckpt`), read without PyTorch and without running anything.

Such a file holds a pickle, which can call any function by name. Here every name stands for a
placeholder that does nothing, except the few that make tensors and dictionaries. Raw values follow
the pickle: as members of a zip file (since PyTorch 1.6), or one after the other (before).
"""

import io
import math
import mmap
import pickle
import re
import zipfile
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from mim_tf.storage.paths import opened

BFLOAT16 = "u2"
"""Read as integers, because NumPy has no bfloat16; PyTorch has no tensors of u2."""

_DTYPES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_LEGACY = b"\x80\x02\x8a\x0a" + _MAGIC.to_bytes(10, "little")
_WRAPPERS = ("state_dict", "net_param")
"""Keys under which containers keep the state dict."""

_PREFIXES = re.compile(r"^(module\.)?(model\.)?")
"""Prefixes of names in files that were saved from several GPUs, or by Lightning."""

Arrays = dict[str, np.ndarray]


class TorchFile(NamedTuple):
    """The content of a file.

    Attributes:
        arrays: name -> values, without the prefixes `module.` and `model.`.
        settings: numbers, texts and lists of Lightning's `hyper_parameters`.
        is_lightning: whether Lightning wrote the file.
    """

    arrays: dict[str, np.ndarray]
    settings: dict[str, Any]
    is_lightning: bool


def is_torch(file: IO[bytes]) -> bool:
    """Return whether an open file is of PyTorch, in either format."""
    file.seek(0)
    start = file.read(len(_LEGACY))
    if start == _LEGACY or not start.startswith(b"PK"):
        return start == _LEGACY
    try:
        names = zipfile.ZipFile(file).namelist()
    except (zipfile.BadZipFile, ValueError, OSError):
        return False
    return any(name.endswith("data.pkl") for name in names)


def read_torch(path: str | Path) -> TorchFile:
    """Read the state dict of a file of OpenSTL, predrnn-pytorch or another program.

    Raises:
        MimError: if it is no such file, is corrupted, or declares tensors that do not fit it.
    """
    with opened(path, "a PyTorch weights file", " (.pth, .ckpt)") as file:
        try:
            content, storages = (_read_zip if zipfile.is_zipfile(file) else _read_legacy)(file)
            return _state_of(content, storages)
        except Exception as error:  # a corrupted pickle can fail in any way
            raise ValueError(str(error) or type(error).__name__) from None


class _Inert:
    """Placeholder for an unknown name in a pickle. It can be called and filled without effect."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        pass

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return self

    def ignore(self, *args: Any) -> None:
        pass

    __setstate__ = __setitem__ = append = extend = ignore


class _Dict(dict[Any, Any]):
    """An `OrderedDict`, whose attributes are left out."""

    def __setstate__(self, state: Any) -> None:
        pass


class _Storage(NamedTuple):
    dtype: str
    key: str
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(storage: _Storage, offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


# In Python, because the unpickler in C allocates whatever place in its memory a file names.
class _Unpickler(pickle._Unpickler):
    def __init__(self, file: IO[bytes] | mmap.mmap) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return type(name, (_Inert,), {"dtype": _DTYPES[name]})
        known = {
            "_rebuild_tensor_v2": _tensor,
            "_rebuild_parameter": lambda tensor, *_: tensor,
            "OrderedDict": _Dict,
        }
        return known.get(name, _Inert)

    def persistent_load(self, reference: Any) -> _Storage:
        kind, storage, key, _, size, *view = reference
        if kind != "storage" or any(each is not None for each in view):
            raise ValueError("it refers to something else than a storage")
        return self.storages.setdefault(str(key), _Storage(storage.dtype, str(key), int(size)))


def _read_zip(file: IO[bytes]) -> tuple[Any, Arrays]:
    """Return the unpickled object, and the values of each storage."""
    archive = zipfile.ZipFile(file)
    names = set(archive.namelist())
    folder = next(name for name in names if name.endswith("data.pkl")).removesuffix("data.pkl")

    def stored(name: str) -> bytes:
        member = archive.getinfo(folder + name)
        if member.compress_type != zipfile.ZIP_STORED:  # which could be larger than the file
            raise ValueError(f"{member.filename} is compressed")
        return archive.read(member)

    unpickler = _Unpickler(io.BytesIO(stored("data.pkl")))
    content = unpickler.load()
    big = f"{folder}byteorder" in names and stored("byteorder") == b"big"
    return content, {
        key: np.frombuffer(stored(f"data/{key}"), "<>"[big] + storage.dtype)
        for key, storage in unpickler.storages.items()
    }


def _read_legacy(original: IO[bytes]) -> tuple[Any, Arrays]:
    """Return the same of a file from before PyTorch 1.6."""
    # Mapped, because a read of a file allocates as many bytes as a corrupted count says.
    file = mmap.mmap(original.fileno(), 0, access=mmap.ACCESS_READ)
    if [_Unpickler(file).load() for _ in range(3)][:2] != [_MAGIC, _PROTOCOL]:
        raise ValueError("it does not begin as a file of PyTorch")
    unpickler = _Unpickler(file)
    content = unpickler.load()
    values: Arrays = {}
    for key in _Unpickler(file).load():
        count = int.from_bytes(file.read(8), "little")
        dtype = np.dtype(unpickler.storages[str(key)].dtype).newbyteorder("<")
        values[str(key)] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return content, values


def _state_of(content: Any, storages: Arrays) -> TorchFile:
    content = content if isinstance(content, dict) else {}
    state = next((content[key] for key in _WRAPPERS if key in content), content)
    if not isinstance(state, dict) or not any(isinstance(each, _Tensor) for each in state.values()):
        raise ValueError("there is no state dict with weights in it")
    arrays = {}
    for name, tensor in state.items():
        if isinstance(tensor, _Tensor):
            arrays[_PREFIXES.sub("", name)] = _array(name, tensor, storages[tensor.storage.key])
    settings = content.get("hyper_parameters")
    return TorchFile(
        arrays,
        settings if isinstance(settings, dict) else {},
        "pytorch-lightning_version" in content,
    )


def _array(name: str, tensor: _Tensor, values: np.ndarray) -> np.ndarray:
    """Return a tensor as an array of its own, float32 where it is bfloat16."""
    size, steps = math.prod(tensor.shape), zip(tensor.shape, tensor.strides, strict=True)
    last = tensor.offset + sum((count - 1) * step for count, step in steps)
    numbers = (tensor.offset, *tensor.shape, *tensor.strides)
    is_sound = all(type(number) is int and number >= 0 for number in numbers)
    is_sound &= len(values) == tensor.storage.size
    if not is_sound or (size and not size <= last + 1 <= len(values)):
        raise ValueError(f"{name}: shape {tensor.shape} does not fit its {len(values)} values")
    strides = [values.itemsize * step for step in tensor.strides]
    array = np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, strides)
    if tensor.storage.dtype == BFLOAT16:
        return (array.astype("u4") << 16).view("f4")
    return array.astype(array.dtype.newbyteorder("="))
