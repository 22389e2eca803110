"""How large a network is, from its configuration alone: before anything is built."""

import dataclasses

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError
from mim_tf.runtime.memory import machine_memory

FLOAT = 4
"""Bytes of a float32."""

_COPIES_IN_TRAINING = 5
"""Weights, their gradient, two moments and their average."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """What a layer has: gates from its input and from its states, and the rest of its weights."""

    from_input: int
    from_states: int
    reduce: bool = False
    peepholes: int = 0

    def parameters(self, config: ModelConfig, channels: int) -> int:
        """Of a cell whose input has so many channels."""
        n, kernel = config.num_hidden[0], config.filter_size**2
        height, width = config.grid
        gates = self.from_input + self.from_states
        kernels = kernel * n * (self.from_input * channels + self.from_states * n)
        biases = gates * n * (3 if config.layer_norm else 1)
        return (
            kernels + biases + self.reduce * (2 * n + 1) * n + self.peepholes * height * width * n
        )


_ST_LSTM = Cell(4, 8, reduce=True)
_CAUSAL_LSTM = Cell(7, 12, reduce=True)
_CONV_LSTM = Cell(4, 4, peepholes=3)
_HIGHWAY = Cell(2, 2)


@dataclasses.dataclass(frozen=True)
class Size:
    """Of a network.

    Attributes:
        parameters: numbers that are learnt.
        states: numbers that one sequence hands from a time step to the next.
        gates: numbers one sequence's gates have in a time step.
    """

    parameters: int = 0
    states: int = 0
    gates: int = 0


def size_of(config: ModelConfig) -> Size:
    """The size of the network `config` asks for; nothing of one that is not of this package."""
    if config.model_name not in _CELLS:
        return Size()
    n, (height, width) = config.num_hidden[0], config.grid
    first, upper, states, upper_states = _CELLS[config.model_name](config)
    depth = config.patch_size**2 * config.img_channel
    cells = [*first, *[upper] * (config.num_layers - 1)]
    channels = [depth] + [n] * (len(cells) - 1)
    parameters = sum(
        cell.parameters(config, count) for cell, count in zip(cells, channels, strict=True)
    )
    parameters += (n + 1) * depth
    maps = states + upper_states * (config.num_layers - 1)
    gates = sum(cell.from_input + cell.from_states for cell in cells)
    return Size(parameters, maps * height * width * n, gates * height * width * n)


def _convlstm(config):
    return [_CONV_LSTM], _CONV_LSTM, 2, 2


def _predrnn(config):
    return [_ST_LSTM], _ST_LSTM, 3, 2


def _predrnn_pp(config):
    return [_CAUSAL_LSTM, _HIGHWAY], _CAUSAL_LSTM, 4, 2


def _mim(config):
    if not config.mim_s:
        return _predrnn(config)
    return [_ST_LSTM], _with_memories(Cell(4, 7, reduce=True), config), 3, 5 if config.mim_n else 3


def _mim_star(config):
    if not config.mim_s:
        return _predrnn_pp(config)
    block = _with_memories(Cell(6, 11, reduce=True), config)
    return [_CAUSAL_LSTM, _HIGHWAY], block, 4, 5 if config.mim_n else 3


def _with_memories(block, config):
    """A MIM block with its MIM-S and, where there is one, its MIM-N."""
    count = 2 if config.mim_n else 1
    gates = block.from_states + count * 8
    return dataclasses.replace(block, from_states=gates, peepholes=3 * count)


_CELLS = {
    "convlstm_net": _convlstm,
    "predrnn": _predrnn,
    "predrnn_pp": _predrnn_pp,
    "mim": _mim,
    "mim_star": _mim_star,
}
"""Name -> first cells, cell of each layer above, states of layer 1 (m and z with it) and of each
above."""


def check_prediction(config: ModelConfig, batch_size: int = 1, frames: int = 0) -> None:
    """Raises `MimError` if weights, states and frames need more memory than the machine has.

    Args:
        config: of the network.
        batch_size: sequences at a time.
        frames: of each, context and predictions together.
    """
    size = size_of(config)
    height, width, channels = config.frame_shape
    _check(
        size.parameters,
        {
            "weights": size.parameters,
            f"the states of {batch_size} sequences": 2 * batch_size * size.states,
            f"{frames or 1} frames of each": batch_size * (frames or 1) * height * width * channels,
        },
    )


def check_training(
    config: ModelConfig, batch_size: int, rematerialise: bool = False, on_host: bool = True
) -> None:
    """Raises `MimError` if training needs more memory than the machine has.

    Counted is what there is in any case: far less than training takes in the end.

    Args:
        config: of the network.
        batch_size: sequences in an update.
        rematerialise: whether gates are computed again for the gradient.
        on_host: whether it is computed in the machine's memory, not in that of a GPU.
    """
    size = size_of(config)
    height, width, channels = config.frame_shape
    frames = config.total_length * height * width * channels
    kept = size.states if rematerialise else size.gates
    _check(
        size.parameters,
        {
            "weights, gradient, moments and averages": _COPIES_IN_TRAINING * size.parameters,
            f"what the gradient needs of {batch_size} sequences": on_host
            * batch_size
            * (config.total_length - 1)
            * kept,
            f"{config.total_length} frames of each": batch_size * frames,
        },
    )


def _check(parameters, numbers):
    memory = machine_memory()
    needed = FLOAT * sum(numbers.values())
    if memory and needed > memory:
        parts = ", ".join(f"{_gigabytes(FLOAT * count)} {name}" for name, count in numbers.items())
        raise MimError(
            f"A network of {parameters:,} parameters needs at least {_gigabytes(needed)} of memory "
            f"({parts}), this machine has {_gigabytes(memory)}. Lower num_hidden, filter_size, "
            "img_width, total_length or batch_size, or raise patch_size."
        )


def _gigabytes(count):
    return f"{count / 2**30:,.2f} GiB"
