"""Reading TensorFlow 1 checkpoints: names, shapes and values, without a graph."""

import contextlib
import math
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor
from mim_tf.runtime.optional import import_tensorflow
from mim_tf.storage.paths import list_folder, open_file
from mim_tf.weights.hdf5 import Shapes, check_finite, check_settings, first_difference
from mim_tf.weights.tf1_names import assign_tf1_weights, tf1_variables

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


# MERGED: The architecture of a 2019 network, from the names and shapes of its weights.


class _Network(NamedTuple):
    """How the 2019 graph of a network names what its architecture is read from."""

    model_name: str
    layer: str
    hidden_kernel: str
    norm_scale: str


_NETWORKS = (
    # MIM has the same names and more: see _model_name.
    _Network("predrnn", "predrnn/stlstm_", "time_state_to_state/kernel", "input_to_states"),
    _Network("mim_star", "predrnn_pp/stlstm_", "time_state_to_state/kernel", "x2cs"),
    _Network("predrnn_pp", "predrnn_pp/cslstm_", "time_state_to_state/kernel", "x2cs"),
    _Network("convlstm_net", "conv_lstm/lstm_", "state_to_state/kernel", "input_to_states"),
)
_NAMES_SHOWN = 3


def infer_config(shapes: Shapes, **known: Any) -> ModelConfig:
    """The configuration of the network that has these weights.

    Names and shapes tell the network, its layers, channels, filter size and layer norm. The 1x1
    kernel before the pixels tells `patch_size**2 * img_channel`, the peepholes the grid, height
    and width over `patch_size`. What is no architecture has its default.

    Args:
        shapes: name in the 2019 graph -> shape, of the weights alone.
        **known: fields of `ModelConfig`. Those used are `patch_size` or `img_channel`, unless the
            product of the two leaves no choice, and for a network without peepholes `img_width`
            and `img_height`.

    Raises:
        MimError: if the weights are of no known network, or something more has to be known.
    """
    network, layers = _find_network(shapes)
    hidden = [
        _shape(shapes, f"{network.layer}{layer}/{network.hidden_kernel}", 4) for layer in layers
    ]
    patch_size, img_channel = _patches(shapes, network, known)
    img_height, img_width = _frame_size(shapes, patch_size, known)
    return ModelConfig(
        model_name=_model_name(shapes, network),
        img_width=img_width,
        img_height=img_height,
        img_channel=img_channel,
        num_hidden=tuple(shape[2] for shape in hidden),
        filter_size=hidden[0][0],
        patch_size=patch_size,
        layer_norm=f"{network.layer}1/{network.norm_scale}" in shapes,
    )


def _find_network(shapes: Shapes) -> tuple[_Network, list[int]]:
    """The network, and its layers, 1..L."""
    for network in _NETWORKS:
        pattern = re.compile(rf"{network.layer}(\d+)/")
        layers = sorted({int(match[1]) for match in map(pattern.match, shapes) if match})
        if layers:
            _check_layers(network, layers)
            return network, layers
    expected = ", ".join(f"{network.layer}1/..." for network in _NETWORKS)
    found = ", ".join(sorted(shapes)[:_NAMES_SHOWN]) or "none"
    raise MimError(
        f"The weights are of no network of the 2019 code: expected names such as {expected}; "
        f"the first found: {found}."
    )


def _check_layers(network: _Network, layers: list[int]) -> None:
    if layers != list(range(1, len(layers) + 1)):
        raise MimError(
            f"Expected weights {network.layer}1/... to {network.layer}L/..., received those of "
            f"{', '.join(map(str, layers))}: weights of whole layers are missing."
        )


def _model_name(shapes: Shapes, network: _Network) -> str:
    difference_cells = any(name.startswith(f"{network.layer}diff") for name in shapes)
    return "mim" if network.model_name == "predrnn" and difference_cells else network.model_name


def _patches(shapes: Shapes, network: _Network, known: Mapping[str, Any]) -> tuple[int, int]:
    """(patch_size, img_channel)"""
    name = f"{network.layer.partition('/')[0]}/back_to_pixel/kernel"
    depth = _shape(shapes, name, 4)[3]
    patch_size, img_channel = known.get("patch_size"), known.get("img_channel")
    sides = range(1, math.isqrt(depth) + 1)
    possible = [(side, depth // side**2) for side in sides if depth % side**2 == 0]
    fitting = [
        (side, channels)
        for side, channels in possible
        if patch_size in (None, side) and img_channel in (None, channels)
    ]
    if len(fitting) == 1:
        return fitting[0]
    choices = ", ".join(f"{side}^2 * {channels}" for side, channels in possible)
    raise MimError(
        f"{name} has {depth} channels, which is patch_size^2 * img_channel: {choices}. Give one "
        f"of the two; received patch_size {patch_size}, img_channel {img_channel}."
    )


def _frame_size(shapes: Shapes, patch_size: int, known: Mapping[str, Any]) -> tuple[int, int]:
    """(img_height, img_width)"""
    peephole = next((name for name in sorted(shapes) if name.endswith("/oc_weight")), None)
    if peephole:
        height, width, _ = _shape(shapes, peephole, 3)
        return height * patch_size, width * patch_size
    if known.get("img_width") is None:
        raise MimError(
            "The weights do not tell the frame size, because this network has no peepholes: give "
            "img_width and, where it is another, img_height."
        )
    return known.get("img_height") or known["img_width"], known["img_width"]


def _shape(shapes: Shapes, name: str, rank: int) -> tuple[int, ...]:
    if len(shapes.get(name, ())) != rank:
        raise MimError(
            f"Expected {name} with {rank} axes, received {list(shapes.get(name, ())) or 'none'}: "
            "the weights are incomplete or of another network."
        )
    return shapes[name]


# MERGED: From a TensorFlow 1 checkpoint into a model.


def load_tf1(model: VideoPredictor, path: str | PathLike, use_ema: bool = False) -> None:
    """Gives `model` the weights of a checkpoint of the 2019 code.

    Args:
        model: a `VideoPredictor`; on an error it is as it was.
        path: prefix of the checkpoint, or one of its files.
        use_ema: load the exponential moving averages of the weights.

    Raises:
        MimError: if names are left over on either side, all of them listed; if the checkpoint
            belongs to another architecture, is damaged, or has a weight that is not finite.
    """
    weights = read_weights(path, use_ema)
    shapes = {name: values.shape for name, values in weights.items()}
    variables = tf1_variables(model)
    difference = first_difference(
        {variables[n].path if n in variables else n: shape for n, shape in shapes.items()},
        {variable.path: tuple(variable.shape) for variable in variables.values()},
    )
    stored = infer_config(shapes, **vars(model.config))
    check_settings(path, stored, model.config, difference)
    check_finite(path, weights)
    try:
        assign_tf1_weights(model, weights)
    except MimError as error:
        raise MimError(f"{path}: {error}") from None
