"""Weights of OpenSTL and predrnn-pytorch: which network a file holds, and where each weight goes.

Names and shapes give the network, its layers, channels, kernel and norm. Kernels are `[O, I, k, k]`
in PyTorch and `[k, k, I, O]` here. The gates of one convolution are blocks of its output channels;
where our cell has them in another order, the blocks are moved.
"""

import dataclasses
import operator
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mim_tf.config import ModelConfig
from mim_tf.config.model import WITH_ERA
from mim_tf.config.stored import check_architecture
from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor
from mim_tf.weights.hdf5 import Shapes, check_finite, first_difference
from mim_tf.weights.tf1 import frames_of
from mim_tf.weights.torch_file import TorchFile

_BLOCK = {
    "conv_x_cc": "from_input",
    "conv_t_cc": "from_hidden",
    "conv_s_cc": "from_memory",
    "conv_h_concat": "mim_s.from_hidden",
    "conv_x_concat": "mim_s.from_input",
    "ct_weight": "mim_s.peephole_if",
    "oc_weight": "mim_s.peephole_o",
    "conv_last": "reduce",
}
_ST_LSTM = {
    "conv_x": "from_input",
    "conv_h": "from_hidden",
    "conv_m": "from_memory",
    "conv_o": "from_memories",
    "conv_last": "reduce",
}
_CAUSAL_LSTM = {
    "conv_x": "from_input",
    "conv_h": "from_hidden",
    "conv_c": "from_kept",
    "conv_m": "from_memory",
    "conv_c2m": "from_cell",
    "conv_om": "from_new_memory",
    "conv_last": "reduce",
}
_ORDERS = {
    "conv_x": (0, 2, 1, 6, 3, 5, 4),  # of i, f, g, i', f', g', o; ours i, g, f, o, i', g', f'
    "conv_h": (0, 2, 1, 3),  # of i, f, g, o; ours i, g, f, o
    "conv_c": (0, 2, 1),  # of i, f, g; ours i, g, f
}
"""Gates of a Causal LSTM's kernels in our order."""

_PEEPHOLE_LSTM = {
    "conv_h_concat": "from_hidden",
    "conv_x_concat": "from_input",
    "ct_weight": "peephole_if",
    "oc_weight": "peephole_o",
}
_HIGHWAY = {"z_concat": "from_hidden", "x_concat": "from_input"}
_KEYS: dict[str, tuple[str, int, dict[str, str]]] = {
    "st_lstm": ("cell_list.{}", 1, _ST_LSTM),
    "causal_lstm": ("cell_list.{}", 1, _CAUSAL_LSTM),
    "conv_lstm": ("cell_list.{}", 1, {"conv_x": "from_input", "conv_h": "from_hidden"}),
    "mim_block": ("stlstm_layer.{}", 1, _BLOCK),
    "mim_n": ("stlstm_layer_diff.{}", 2, _PEEPHOLE_LSTM),
    "gradient_highway": ("gradient_highway", 0, _HIGHWAY),
}
"""Name of our cells -> prefix in a file, our number of its first one, key -> part of the cell."""

_UNUSED = re.compile(
    r"adapter\.weight"  # of the decoupling loss
    r"|stlstm_layer_diff\.\d+\.conv_last(\.\d)?\.weight"
    r"|cell_list\.\d+\.conv_o\.\d\.(weight|bias)"  # of PredRNN++ and ConvLSTM
    r"|cell_list\.\d+\.conv_last\.weight"  # of ConvLSTM
)
"""Weights without effect on a prediction."""


@dataclasses.dataclass(frozen=True)
class StoredTorch:
    """The weights of a file of PyTorch.

    Attributes:
        path: of the file.
        file: its content.
        policy: None, because such a file has no policy.
        trainable: empty, because it has no frozen layers.
    """

    path: Path
    file: TorchFile
    policy: None = None
    trainable: tuple[bool, ...] = ()

    def config(self, **known: Any) -> ModelConfig:
        """Return the configuration of the network.

        `known` has fields of `ModelConfig` that the file does not hold: `patch_size` or
        `img_channel`, without peepholes and norm `img_width` and `img_height`, and the lengths.
        """
        try:
            return _config(self.file, known)
        except MimError as error:
            raise MimError(f"{self.path}: {error}") from None

    def load(self, model: VideoPredictor) -> None:
        """Assign the weights to `model`.

        Raises:
            MimError: if they belong to another architecture or are not finite, or if names are
                left over on either side; the model is unchanged then.
        """
        check_architecture(self.path, self.config(**vars(model.config)), model.config)
        check_finite(self.path, self.file.arrays)
        places, variables = dict(_places(model)), torch_variables(model)
        arrays = {
            name: _last_axes_first(values)
            for name, values in self.file.arrays.items()
            if name in places or not _UNUSED.fullmatch(name)
        }
        if difference := first_difference(arrays, variables):
            raise MimError(f"{self.path}: expected the weights of the model. {difference}")
        for variable in model.trainable_variables:  # biases, which no file has
            variable.assign(np.zeros(variable.shape))
        for name, (variable, order) in places.items():
            blocks = np.split(arrays[name], len(order), axis=-1)
            variable.assign(np.concatenate([blocks[number] for number in order], axis=-1))


def torch_variables(model: VideoPredictor) -> dict[str, Any]:
    """Return name in a file -> weight of `model`."""
    return {name: variable for name, (variable, _) in _places(model)}


def _places(model: VideoPredictor) -> Iterator[tuple[str, tuple[Any, tuple[int, ...]]]]:
    """Yield (name in a file, (variable of `model`, order of its gates)) of each weight."""
    cells = {layer.name: layer for layer in model.step.layers}
    yield "conv_last.weight", (cells["to_pixels"].kernel, (0,))
    for name, cell in cells.items():
        kind, _, number = name.rpartition("_")
        if name not in _KEYS and kind not in _KEYS:
            continue
        prefix, first, keys = _KEYS[name if name in _KEYS else kind]
        prefix = prefix.format(int(number) - first if number.isdecimal() else 0)
        if model.config.model_name == "mim_openstl":
            prefix = prefix.replace("cell_list", "stlstm_layer")
        for key, attribute in keys.items():
            part = operator.attrgetter(attribute)(cell)
            order = _ORDERS[key] if keys is _CAUSAL_LSTM and key in _ORDERS else (0,)
            if key.endswith("_weight"):  # a peephole
                yield f"{prefix}.{key}", (part, order)
                continue
            yield f"{prefix}.{key}{'.0' * (key != 'conv_last')}.weight", (part.kernel, order)
            if part.norm:
                yield f"{prefix}.{key}.1.weight", (part.norm.scale, order)
                yield f"{prefix}.{key}.1.bias", (part.norm.shift, order)


def _last_axes_first(values: np.ndarray) -> np.ndarray:
    """Return a kernel `[O, I, k, k]` as `[k, k, I, O]`, or `[C, H, W]` as `[H, W, C]`."""
    return values.T.swapaxes(0, 1) if values.ndim > 1 else values


def _config(file: TorchFile, known: dict[str, Any]) -> ModelConfig:
    shapes = {name: values.shape for name, values in file.arrays.items()}
    model_name = _network(shapes)
    cells = "stlstm_layer" if model_name == "mim_openstl" else "cell_list"
    numbers = [int(m[1]) for m in map(re.compile(rf"{cells}\.(\d+)\.").match, shapes) if m]
    hidden = shapes.get(f"{cells}.0.conv_h.0.weight", ())
    depth = shapes.get("conv_last.weight", ())
    if not numbers or len(hidden) != 4 or len(depth) != 4:
        raise MimError(f"Expected weights of a {model_name}, got an incomplete file.")
    known = _of_lightning(file.settings) | {k: v for k, v in known.items() if v is not None}
    norm = shapes.get(f"{cells}.0.conv_x.1.weight")
    grid = shapes.get("stlstm_layer.1.oc_weight") or norm or ()
    era = known.get("era") or ("lightning" if file.is_lightning else "2023")
    lengths = {name: known[name] for name in ("input_length", "total_length") if name in known}
    return ModelConfig(
        model_name=model_name,
        num_hidden=(hidden[1],) * (max(numbers) + 1),
        filter_size=hidden[2],
        **frames_of("conv_last.weight", depth[0], grid[1:], known),
        layer_norm=norm is not None,
        era=era if model_name in WITH_ERA else ModelConfig.era,
        **lengths,
    )


def _network(shapes: Shapes) -> str:
    """Return the name of the network, by the names of its weights."""
    if any(name.startswith("stlstm_layer_diff.") for name in shapes):
        return "mim_openstl"
    if any(name.startswith("gradient_highway.") for name in shapes):
        return "predrnn_pp_openstl"
    if "cell_list.0.conv_m.0.weight" in shapes:
        return "predrnn_torch"
    if "cell_list.0.conv_h.0.weight" in shapes:
        return "convlstm_openstl"
    raise MimError(
        "Expected weights of MIM, PredRNN, PredRNN++, PredRNN-V2 or ConvLSTM of OpenSTL or "
        f"predrnn-pytorch, got {', '.join(list(shapes)[:3]) or 'none'}."
    )


def _of_lightning(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `ModelConfig` that Lightning keeps beside weights."""
    names = ("in_shape", "patch_size", "pre_seq_length", "aft_seq_length")
    shape, patch, context, horizon = (settings.get(name) for name in names)
    known: dict[str, Any] = {"patch_size": patch} if isinstance(patch, int) else {}
    if isinstance(shape, list | tuple) and len(shape) == 4:
        known |= dict(zip(("img_channel", "img_height", "img_width"), shape[1:], strict=True))
    if isinstance(context, int) and isinstance(horizon, int):
        known |= {"input_length": context, "total_length": context + horizon}
    return known
