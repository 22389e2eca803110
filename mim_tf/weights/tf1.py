"""TensorFlow 1 checkpoints of the 2019 code: read without a graph, and their architecture inferred.

Names and shapes of the weights give the network, its layers, channels, filter size and layer norm.
"""

import dataclasses
import glob
import math
import os
import re
import tempfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from mim_tf.config import ModelConfig
from mim_tf.config.stored import check_architecture
from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor
from mim_tf.runtime.optional import import_tensorflow
from mim_tf.storage.paths import open_file, opened
from mim_tf.weights.by_name import CHECKPOINT_FILE
from mim_tf.weights.hdf5 import Arrays, Shapes, check_finite
from mim_tf.weights.tf1_names import assign_tf1_weights

_AVERAGE = "/ExponentialMovingAverage"
# The 2019 code's Adam made its slots as plain variables, which have no names of their own.
_NO_WEIGHT = re.compile(
    rf".*{_AVERAGE}|Variable(_\d+)?|.*/Adam(_\d+)?|(.*/)?beta[12]_power(_\d+)?|global_step"
)


@dataclasses.dataclass(frozen=True)
class StoredCheckpoint:
    """The `weights` of the checkpoint with the prefix `path`: name in the 2019 graph -> values."""

    path: Path
    weights: Arrays
    policy: None = None  # a checkpoint has none
    trainable: tuple[bool, ...] = ()  # nor frozen layers

    def config(self, **known: Any) -> ModelConfig:
        """Return the configuration of the network, see `infer_config`."""
        return infer_config({name: array.shape for name, array in self.weights.items()}, **known)

    def load(self, model: VideoPredictor) -> None:
        """Assign the weights to `model`; it is unchanged if they do not fit or are not finite."""
        check_architecture(self.path, self.config(**vars(model.config)), model.config)
        check_finite(self.path, self.weights)
        try:
            assign_tf1_weights(model, self.weights)
        except MimError as error:
            raise MimError(f"{self.path}: {error}") from None


def read_checkpoint(path: str | PathLike, use_ema: bool = False) -> StoredCheckpoint:
    """Read the weights of a checkpoint, without Adam's slots and counters.

    `path` is the prefix, such as `model.ckpt-80000`, or one of the files. With `use_ema` the
    exponential moving averages of the weights are read instead.

    If there is no checkpoint, it is corrupted or has no averages, or TensorFlow is not installed,
    `MimError` is raised.
    """
    prefix = Path(path).with_name(CHECKPOINT_FILE.sub("", Path(path).name))
    index = Path(f"{prefix}.index")
    parts = list(prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*"))
    if not (os.path.lexists(index) and parts):
        raise MimError(
            f"No TensorFlow 1 checkpoint at {prefix}: expected a prefix, such as model.ckpt-80000, "
            f"with {prefix.name}.index and {prefix.name}.data-00000-of-00001 beside each other."
        )
    tf = import_tensorflow("to read a TensorFlow 1 checkpoint")
    with (
        opened(index, "a TensorFlow 1 checkpoint", remedy="Copy or download it again."),
        tempfile.TemporaryDirectory() as folder,
    ):
        # TensorFlow takes [, ? and * in a name for a pattern, so it reads links with a plain name.
        for file in (index, *parts):
            open_file(file, "a part of a TensorFlow 1 checkpoint").close()
            link = Path(folder, file.name.replace(prefix.name, "checkpoint", 1))
            link.symlink_to(os.path.abspath(file))
        reader = tf.train.load_checkpoint(os.path.join(folder, "checkpoint"))
        weights = _values(prefix, reader, use_ema, sum(file.stat().st_size for file in parts))
    return StoredCheckpoint(prefix, weights)


def _values(prefix: Path, reader: Any, use_ema: bool, size: int) -> dict[str, np.ndarray]:
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    # A corrupted index may declare shapes beyond the memory of this machine.
    declared = sum(math.prod(shapes[name]) * dtypes[name].size for name in shapes)
    if declared > size:
        raise ValueError(f"{declared} bytes declared, {size} found")
    weights = {}
    for name in sorted(shapes):
        if not (name.endswith(_AVERAGE) if use_ema else not _NO_WEIGHT.fullmatch(name)):
            continue
        if not dtypes[name].is_floating:
            raise MimError(f"{prefix}: expected {name} as floats, got {dtypes[name].name}.")
        weights[name.removesuffix(_AVERAGE)] = np.asarray(reader.get_tensor(name), np.float32)
    if use_ema and not weights:
        raise MimError(f"{prefix} has no weights ending in {_AVERAGE}. Leave out --use_ema.")
    return weights


_NETWORKS = {
    "predrnn/stlstm_": "predrnn",  # MIM has these names and more, see infer_config
    "predrnn_pp/stlstm_": "mim_star",
    "predrnn_pp/cslstm_": "predrnn_pp",
    "conv_lstm/lstm_": "convlstm_net",
}
"""Start of the names of a layer, before its number -> network."""

_HIDDEN_KERNEL = re.compile(rf"({'|'.join(_NETWORKS)})(\d+)/((?:time_)?state_to_state/kernel)")


def infer_config(shapes: Shapes, **known: Any) -> ModelConfig:
    """Return the configuration of the network that has these weights.

    The 1x1 kernel before the pixels gives `patch_size**2 * img_channel`. The peepholes give the
    grid, which is height and width over `patch_size`. Other settings have their defaults. `known`
    has fields of `ModelConfig`, used if that leaves a choice: `patch_size` or `img_channel`, and
    for a network without peepholes `img_width` and `img_height`. If more fields are needed, or the
    network is not known, `MimError` is raised.
    """
    kernels = [match for match in map(_HIDDEN_KERNEL.fullmatch, shapes) if match]
    if not kernels:
        raise MimError(
            "Expected weights of a network of the 2019 code, such as "
            f"{', '.join(f'{layer}1/...' for layer in _NETWORKS)}, got {sorted(shapes)[:3]}."
        )
    layer, _, kernel = kernels[0].groups()
    count = max(int(match[2]) for match in kernels)
    hidden = [_shape(shapes, f"{layer}{number}/{kernel}", 4) for number in range(1, count + 1)]
    pixels = f"{layer.partition('/')[0]}/back_to_pixel/kernel"
    depth = _shape(shapes, pixels, 4)[3]
    peephole = next((name for name in sorted(shapes) if name.endswith("/oc_weight")), None)
    grid = _shape(shapes, peephole, 3)[:2] if peephole else ()
    has_differences = any(name.startswith("predrnn/stlstm_diff") for name in shapes)
    return ModelConfig(
        model_name="mim" if has_differences else _NETWORKS[layer],
        num_hidden=tuple(shape[2] for shape in hidden),
        filter_size=hidden[0][0],
        **frames_of(pixels, depth, grid, known),
        layer_norm=any(name.endswith(("/input_to_states", "/x2cs")) for name in shapes),
    )


def frames_of(
    name: str, depth: int, grid: tuple[int, ...], known: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields of `ModelConfig` with size, channels and patches of frames.

    The kernel `name` before the pixels has `depth` channels. The `grid` (H, W) of patches is empty
    if no weight has it. `known` gives the rest, or `MimError` is raised.
    """
    sides = range(1, math.isqrt(depth) + 1)
    possible = {side: depth // side**2 for side in sides if depth % side**2 == 0}
    patch_size, img_channel = known.get("patch_size"), known.get("img_channel")
    fitting = [
        pair
        for pair in possible.items()
        if patch_size in (None, pair[0]) and img_channel in (None, pair[1])
    ]
    if len(fitting) != 1:
        choices = ", ".join(f"{side}^2 * {channels}" for side, channels in possible.items())
        raise MimError(
            f"{name} has {depth} channels, which is patch_size^2 * img_channel: {choices}. Give "
            f"one of the two; got patch_size {patch_size}, img_channel {img_channel}."
        )
    ((patch_size, img_channel),) = fitting
    height, width = known.get("img_height") or 0, known.get("img_width") or 0
    if len(grid) == 2:
        height, width = (side * patch_size for side in grid)
    if not width:
        raise MimError(
            "Expected the frame size, which weights without peepholes and norm do not tell, got "
            "none. Give --img_width and, where it is another, --img_height, or --data."
        )
    return {
        "patch_size": patch_size,
        "img_channel": img_channel,
        "img_width": width,
        "img_height": height,  # 0: the width
    }


def _shape(shapes: Shapes, name: str, rank: int) -> tuple[int, ...]:
    shape = shapes.get(name, ())
    if len(shape) != rank:
        raise MimError(
            f"Expected {name} with {rank} axes, got {list(shape) or 'none'}: the weights are "
            "incomplete or of another network."
        )
    return shape
