"""TensorFlow 1 checkpoints of the 2019 code: read without a graph, and their architecture inferred.

Names and shapes of the weights give the network, its layers, channels, filter size and layer norm.
"""

import dataclasses
import math
import os
import re
import tempfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor
from mim_tf.runtime.optional import import_tensorflow
from mim_tf.storage.paths import list_folder, open_file
from mim_tf.weights.by_name import CHECKPOINT_FILE
from mim_tf.weights.hdf5 import Arrays, Shapes, check_finite, check_settings
from mim_tf.weights.tf1_names import assign_tf1_weights

_AVERAGE = "/ExponentialMovingAverage"
# The 2019 code's Adam made its slots as plain variables, which have no names of their own.
_NO_WEIGHT = re.compile(
    rf".*{_AVERAGE}|Variable(_\d+)?|.*/Adam(_\d+)?|(.*/)?beta[12]_power(_\d+)?|global_step"
)


@dataclasses.dataclass(frozen=True)
class StoredCheckpoint:
    """The weights of a checkpoint.

    Attributes:
        path: prefix of the checkpoint.
        weights: name in the 2019 graph -> values, float32.
        policy: None, because a checkpoint has no policy.
    """

    path: Path
    weights: Arrays
    policy: None = None

    def config(self, **known: Any) -> ModelConfig:
        """Return the configuration of the network, see `infer_config`."""
        return infer_config({name: array.shape for name, array in self.weights.items()}, **known)

    def load(self, model: VideoPredictor) -> None:
        """Assign the weights to `model`.

        Raises:
            MimError: if they belong to another architecture or are not finite, or if names are
                left over on either side; the model is unchanged then.
        """
        check_settings(self.path, self.config(**vars(model.config)), model.config)
        check_finite(self.path, self.weights)
        try:
            assign_tf1_weights(model, self.weights)
        except MimError as error:
            raise MimError(f"{self.path}: {error}") from None


def read_checkpoint(path: str | PathLike, use_ema: bool = False) -> StoredCheckpoint:
    """Read the weights of a checkpoint, without Adam's slots and counters.

    Args:
        path: prefix of the checkpoint, such as `model.ckpt-80000`, or one of its files.
        use_ema: read the exponential moving averages of the weights instead.

    Raises:
        MimError: if there is no checkpoint, it is corrupted or has no averages, or TensorFlow is
            not installed.
    """
    prefix = Path(path).with_name(CHECKPOINT_FILE.sub("", Path(path).name))
    index = Path(f"{prefix}.index")
    siblings = list_folder(prefix.parent) if os.path.isdir(prefix.parent) else []
    parts = [file for file in siblings if file.name.startswith(f"{prefix.name}.data-")]
    if not (os.path.lexists(index) and parts):
        raise MimError(
            f"No TensorFlow 1 checkpoint at {prefix}: expected a prefix, such as model.ckpt-80000, "
            f"with {prefix.name}.index and {prefix.name}.data-00000-of-00001 beside each other."
        )
    tf = import_tensorflow("to read a TensorFlow 1 checkpoint")
    with tempfile.TemporaryDirectory() as folder:
        # TensorFlow takes [, ? and * in a name for a pattern, so it reads links with a plain name.
        for file in (index, *parts):
            open_file(file, "a part of a TensorFlow 1 checkpoint").close()
            link = Path(folder, file.name.replace(prefix.name, "checkpoint", 1))
            link.symlink_to(os.path.abspath(file))
        try:
            reader = tf.train.load_checkpoint(os.path.join(folder, "checkpoint"))
            weights = _values(prefix, reader, use_ema, sum(file.stat().st_size for file in parts))
        except MimError:
            raise
        except Exception as error:  # TensorFlow raises many kinds of errors.
            raise MimError(
                f"{prefix} cannot be read as a TensorFlow 1 checkpoint: it is truncated "
                f"or corrupted ({error}). Copy or download it again."
            ) from None
    return StoredCheckpoint(prefix, weights)


def _values(prefix: Path, reader: Any, use_ema: bool, size: int) -> dict[str, np.ndarray]:
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    # A corrupted index may declare shapes beyond the memory of this machine.
    declared = sum(math.prod(shapes[name]) * dtypes[name].size for name in shapes)
    if declared > size:
        raise ValueError(f"{declared} bytes declared, {size} found")
    names = {name: name for name in sorted(shapes) if not _NO_WEIGHT.fullmatch(name)}
    if use_ema:
        names = {n.removesuffix(_AVERAGE): n for n in sorted(shapes) if n.endswith(_AVERAGE)}
        if not names:
            raise MimError(
                f"{prefix} has no averages of its weights: expected names ending in {_AVERAGE}. "
                "Leave out --use_ema."
            )
    for name in names.values():
        if not dtypes[name].is_floating:
            raise MimError(
                f"{prefix}: expected {name} as floating-point numbers, got {dtypes[name].name}."
            )
    return {
        name: np.asarray(reader.get_tensor(stored), np.float32) for name, stored in names.items()
    }


class _Network(NamedTuple):
    """Names in the 2019 graph of a network from which its architecture is read."""

    model_name: str
    layer: str
    hidden_kernel: str
    norm_scale: str


_NETWORKS = (
    # MIM has the same names and more, see infer_config.
    _Network("predrnn", "predrnn/stlstm_", "time_state_to_state/kernel", "input_to_states"),
    _Network("mim_star", "predrnn_pp/stlstm_", "time_state_to_state/kernel", "x2cs"),
    _Network("predrnn_pp", "predrnn_pp/cslstm_", "time_state_to_state/kernel", "x2cs"),
    _Network("convlstm_net", "conv_lstm/lstm_", "state_to_state/kernel", "input_to_states"),
)


def infer_config(shapes: Shapes, **known: Any) -> ModelConfig:
    """Return the configuration of the network that has these weights.

    The 1x1 kernel before the pixels gives `patch_size**2 * img_channel`. The peepholes give the
    grid, which is height and width over `patch_size`. Other settings have their defaults.

    Args:
        shapes: name in the 2019 graph -> shape.
        **known: fields of `ModelConfig`. Used are `patch_size` or `img_channel`, if their product
            leaves a choice, and for a network without peepholes `img_width` and `img_height`.

    Raises:
        MimError: if the weights are of no known network, or more fields are needed.
    """
    network, layers = _find_network(shapes)
    hidden = [
        _shape(shapes, f"{network.layer}{layer}/{network.hidden_kernel}", 4) for layer in layers
    ]
    patch_size, img_channel = _patches(shapes, network, known)
    img_height, img_width = _frame_size(shapes, patch_size, known)
    has_differences = any(name.startswith("predrnn/stlstm_diff") for name in shapes)
    return ModelConfig(
        model_name="mim" if has_differences else network.model_name,
        img_width=img_width,
        img_height=img_height,
        img_channel=img_channel,
        num_hidden=tuple(shape[2] for shape in hidden),
        filter_size=hidden[0][0],
        patch_size=patch_size,
        layer_norm=f"{network.layer}1/{network.norm_scale}" in shapes,
    )


def _find_network(shapes: Shapes) -> tuple[_Network, list[int]]:
    """Return the network and its layers, 1..L."""
    for network in _NETWORKS:
        pattern = re.compile(rf"{network.layer}(\d+)/")
        layers = sorted({int(match[1]) for match in map(pattern.match, shapes) if match})
        if layers and layers != list(range(1, len(layers) + 1)):
            raise MimError(
                f"Expected weights {network.layer}1/... to {network.layer}L/..., got those of "
                f"{', '.join(map(str, layers))}: weights of whole layers are missing."
            )
        if layers:
            return network, layers
    expected = ", ".join(f"{network.layer}1/..." for network in _NETWORKS)
    raise MimError(
        f"The weights are of no network of the 2019 code: expected names such as {expected}; "
        f"the first found: {', '.join(sorted(shapes)[:3]) or 'none'}."
    )


def _patches(shapes: Shapes, network: _Network, known: Mapping[str, Any]) -> tuple[int, int]:
    """Return (patch_size, img_channel)."""
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
        f"of the two; got patch_size {patch_size}, img_channel {img_channel}."
    )


def _frame_size(shapes: Shapes, patch_size: int, known: Mapping[str, Any]) -> tuple[int, int]:
    """Return (img_height, img_width)."""
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
            f"Expected {name} with {rank} axes, got {list(shapes.get(name, ())) or 'none'}: "
            "the weights are incomplete or of another network."
        )
    return shapes[name]
