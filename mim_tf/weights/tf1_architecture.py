"""The architecture of a 2019 network, from the names and shapes of its weights."""

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.weights.architecture import Shapes


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
