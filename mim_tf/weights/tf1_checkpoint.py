"""Reading TensorFlow 1 checkpoints: names, shapes and values, without a graph."""

import contextlib
import math
import os
import re
import tempfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from mim_tf.errors import MimError
from mim_tf.given_path import list_folder, open_file
from mim_tf.optional import import_tensorflow

_AVERAGE = "/ExponentialMovingAverage"
_FILE_SUFFIX = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
# The 2019 code's Adam made its slots as plain variables, which have no names of their own.
_NO_WEIGHT = re.compile(
    rf".*{_AVERAGE}|Variable(_\d+)?|.*/Adam(_\d+)?|(.*/)?beta[12]_power(_\d+)?|global_step"
)


def is_checkpoint(path: str | PathLike) -> bool:
    """Whether `path` is the prefix of a TensorFlow 1 checkpoint, or one of its files."""
    path = Path(path)
    return bool(_FILE_SUFFIX.search(path.name)) or (
        not os.path.isfile(path) and os.path.isfile(_index_file(path))
    )


def _index_file(prefix: Path) -> Path:
    return Path(f"{prefix}.index")


def weight_shapes(path: str | PathLike) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the weights, without Adam's slots, counters and averages.

    Args:
        path: prefix of the checkpoint, such as `model.ckpt-80000`, or one of its files.

    Raises:
        MimError: if there is no checkpoint, it is damaged, or TensorFlow is not installed.
    """
    with _opened(path) as reader:
        return _weight_shapes(reader)


def read_weights(path: str | PathLike, use_ema: bool = False) -> dict[str, np.ndarray]:
    """Name -> values, float32, of the weights.

    Args:
        path: as for `weight_shapes`.
        use_ema: the values of their exponential moving averages instead, under their names.

    Raises:
        MimError: as for `weight_shapes`, and if there are no averages to use.
    """
    with _opened(path) as reader:
        names = {name: name for name in _weight_shapes(reader)}
        if use_ema:
            stored = sorted(reader.get_variable_to_shape_map())
            names = {n.removesuffix(_AVERAGE): n for n in stored if n.endswith(_AVERAGE)}
            if not names:
                raise MimError(
                    f"{path} has no averages of its weights: expected names ending in {_AVERAGE}. "
                    "Leave out --use_ema."
                )
        try:
            return {name: _values(reader, stored) for name, stored in names.items()}
        except MimError as error:
            raise MimError(f"{path}: {error}") from None
        except Exception as error:  # TensorFlow lets many kinds out.
            raise _damaged(path, error) from None


def _weight_shapes(reader: Any) -> dict[str, tuple[int, ...]]:
    shapes = reader.get_variable_to_shape_map()
    return {name: tuple(shapes[name]) for name in sorted(shapes) if not _NO_WEIGHT.fullmatch(name)}


def _values(reader: Any, name: str) -> np.ndarray:
    dtype = reader.get_variable_to_dtype_map()[name]
    if not dtype.is_floating:
        raise MimError(f"expected {name} as floating-point numbers, received {dtype.name}.")
    return np.asarray(reader.get_tensor(name), np.float32)


@contextlib.contextmanager
def _opened(path: str | PathLike) -> Iterator[Any]:
    """TensorFlow's reader of the checkpoint, whose files are large enough for what it declares."""
    prefix = Path(path).with_name(_FILE_SUFFIX.sub("", Path(path).name))
    parts = [file for file in _siblings(prefix) if file.name.startswith(f"{prefix.name}.data-")]
    if not (os.path.lexists(_index_file(prefix)) and parts):
        raise MimError(
            f"No TensorFlow 1 checkpoint at {prefix}: expected a prefix, such as model.ckpt-80000, "
            f"with {prefix.name}.index and {prefix.name}.data-00000-of-00001 beside each other."
        )
    tf = import_tensorflow("to read a TensorFlow 1 checkpoint")
    with tempfile.TemporaryDirectory() as folder:
        # TensorFlow takes [, ? and * in a name for a pattern.
        for file in (_index_file(prefix), *parts):
            open_file(file, "a part of a TensorFlow 1 checkpoint").close()
            link = Path(folder, file.name.replace(prefix.name, "checkpoint", 1))
            link.symlink_to(os.path.abspath(file))
        try:
            reader = tf.train.load_checkpoint(os.path.join(folder, "checkpoint"))
        except Exception as error:  # TensorFlow lets many kinds out.
            raise _damaged(prefix, error) from None
        shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        declared = sum(math.prod(shapes[name]) * dtypes[name].size for name in shapes)
        size = sum(file.stat().st_size for file in parts)
        if declared > size:
            raise _damaged(prefix, f"{declared} bytes declared, {size} found")
        yield reader


def _siblings(prefix: Path) -> list[Path]:
    return list_folder(prefix.parent) if os.path.isdir(prefix.parent) else []


def _damaged(prefix: str | PathLike, reason: object) -> MimError:
    return MimError(
        f"{prefix} cannot be read as a TensorFlow 1 checkpoint: it is truncated or damaged "
        f"({reason}). Copy or download it again."
    )
