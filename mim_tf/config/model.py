"""What a network computes."""

import dataclasses
import math

from mim_tf.config.fields import check_fields, field, to_plain
from mim_tf.errors import MimError
from mim_tf.values.grid import FrameGrid
from mim_tf.values.scale import UNIT, LinearScale
from mim_tf.values.step import step_from_words

_MOST_LAYERS = 100
"""Beyond it, building and tracing a step takes many minutes."""

_NAMES_OF_2019 = {"mim_pp": "mim_star"}


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What a network computes.

    Lengths are in frames, sizes in pixels. Raises `MimError` where values do not fit each other.
    """

    model_name: str = field(
        "mim",
        "Network to build: mim, mim_star (mim_pp in the 2019 code), predrnn, predrnn_pp, "
        "convlstm_net, or one that --network_module registers.",
    )
    img_width: int = field(64, "Width of a frame in pixels.", minimum=1)
    img_height: int = field(0, "Height of a frame in pixels; 0: the width.", minimum=0)
    img_channel: int = field(1, "Channels of a frame.", minimum=1)
    input_length: int = field(10, "Context length: true frames the network is given.", minimum=1)
    total_length: int = field(20, "Frames of a sequence: context and horizon.")
    num_hidden: tuple[int, ...] = field(
        (64, 64, 64, 64), "Channels of each layer, comma separated; all the same."
    )
    filter_size: int = field(5, "Side of the square convolution kernels; odd.", minimum=1)
    stride: int = field(1, "Stride of the convolutions; only 1 exists.")
    patch_size: int = field(
        4,
        "Side of the square patches a frame is cut into. 4 is what the paper's Moving MNIST "
        "experiment uses, and costs a sixteenth of the time and memory of 1, the default of "
        "the 2019 code.",
        minimum=1,
    )
    layer_norm: bool = field(True, "Tensor layer norm after the gates' convolutions.")
    mim_n: bool = field(True, "MIM-N in mim and mim_star; without it MIM-S gets D = 0.")
    mim_s: bool = field(
        True,
        "MIM-S in mim and mim_star; without it, and MIM-N which feeds it, they are predrnn and "
        "predrnn_pp.",
    )
    differencing: str = field(
        "code",
        "What MIM-N gets in layers 3 and up of mim and mim_star: code (the output of the MIM-N "
        "below, as in the 2019 code) or paper (the change of the hidden state below).",
        choices=("code", "paper"),
    )
    precision: str = field(
        "float32",
        "Precision of the convolutions in the cells: float32, bfloat16, or auto, whichever is "
        "faster on this machine. Weights, states, gates, norms and loss are float32 in all.",
        choices=("float32", "bfloat16", "auto"),
    )

    scale: LinearScale | None = field(
        None,
        "What the numbers in frames stand for, as fitted to the training data; None: they are in "
        "[0, 1] and stand for nothing else.",
        is_flag=False,
    )

    frame_step: str = field(
        "",
        "Time from a frame to the next, such as 6 hours; empty where the training data said none.",
        is_flag=False,
    )

    frame_grid: FrameGrid | None = field(
        None,
        "Coordinates of the rows and columns of the training data; None where it has none.",
        is_flag=False,
    )

    def __post_init__(self):
        if isinstance(self.scale, dict):  # as JSON has it
            object.__setattr__(self, "scale", LinearScale(**self.scale))
        if not isinstance(self.frame_grid, FrameGrid):  # as JSON has it, or text of version 1.2
            grid = FrameGrid.from_stored(self.frame_grid) if self.frame_grid else None
            object.__setattr__(self, "frame_grid", grid)
        to_plain(self)
        if isinstance(self.num_hidden, tuple):
            object.__setattr__(self, "num_hidden", tuple(map(_number, self.num_hidden)))
        object.__setattr__(self, "img_height", self.img_height or self.img_width)
        check_model_config(self)
        name = _NAMES_OF_2019.get(self.model_name, self.model_name)
        object.__setattr__(self, "model_name", name)
        object.__setattr__(self, "num_hidden", tuple(int(n) for n in self.num_hidden))

    @property
    def frame_scale(self) -> LinearScale:
        """`scale`, or that of frames in [0, 1]."""
        return self.scale or UNIT

    @property
    def num_layers(self) -> int:
        """Layers of recurrent cells."""
        return len(self.num_hidden)

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a frame."""
        return self.img_height, self.img_width, self.img_channel

    @property
    def grid(self) -> tuple[int, int]:
        """(H, W) of the patch grid, the spatial size of every state."""
        return self.img_height // self.patch_size, self.img_width // self.patch_size

    @property
    def horizon(self) -> int:
        """Frames predicted after the context."""
        return self.total_length - self.input_length


ABLATION_FIELDS = ("mim_n", "mim_s", "differencing")
"""Fields of `ModelConfig` that leave out or change parts of MIM blocks."""

ARCHITECTURE_FIELDS = (
    "model_name",
    "img_width",
    "img_height",
    "img_channel",
    "num_hidden",
    "filter_size",
    "stride",
    "patch_size",
    "layer_norm",
    *ABLATION_FIELDS,
)
"""Fields of `ModelConfig` that decide which weights there are and what they mean; the others may
change later."""


def check_model_config(config: ModelConfig) -> None:
    """Raises `MimError` for the first value of `config` no network can be built with."""
    check_fields(config)
    if config.stride != 1:
        raise MimError(
            f"stride must be 1, received {config.stride}: the states of all layers share one "
            "spatial size. To make them smaller, raise patch_size."
        )
    if config.filter_size % 2 == 0:
        raise MimError(f"filter_size must be odd, received {config.filter_size}.")
    if not config.num_hidden or min(config.num_hidden) < 1:
        raise MimError(f"num_hidden needs positive numbers, received {config.num_hidden}.")
    if len(config.num_hidden) > _MOST_LAYERS:
        raise MimError(
            f"num_hidden must have at most {_MOST_LAYERS} numbers, one a layer, received "
            f"{len(config.num_hidden)}."
        )
    if len(set(config.num_hidden)) > 1:
        raise MimError(
            "num_hidden must be the same in every layer, because the spatial memory m is handed "
            "through the whole stack (convlstm_net has none, but follows the same rule); "
            f"received {config.num_hidden}."
        )
    if config.img_height % config.patch_size or config.img_width % config.patch_size:
        raise MimError(
            f"patch_size {config.patch_size} must divide height and width, received "
            f"{config.img_height} x {config.img_width} (height x width). {_mended(config)}"
        )
    if config.total_length <= config.input_length:
        raise MimError(
            f"total_length ({config.total_length}) must be larger than input_length "
            f"({config.input_length}): there is nothing to predict."
        )
    _check_ablations(config)
    if config.frame_step:
        step_from_words(config.frame_step)
    channels = config.scale.channels if config.scale else None
    if channels not in (None, config.img_channel):
        raise MimError(
            f"The scale is of {channels} channels, img_channel is {config.img_channel}. Leave "
            "img_channel out: the data says it."
        )


def _number(value):
    """Lists of absl's flags hold strings."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _mended(config):
    """Sizes and patches near those of `config` that fit each other."""
    patch = config.patch_size
    divisor = math.gcd(config.img_height, config.img_width)
    patches = [side for side in range(2, 17) if divisor % side == 0]
    sizes = " x ".join(
        str(max(patch, round(side / patch) * patch))
        for side in (config.img_height, config.img_width)
    )
    others = f"patches of {', '.join(map(str, patches))}" if patches else "no patch but 1"
    return f"Of that size {others} will do; with patches of {patch}, {sizes} will."


def _check_ablations(config):
    if config.mim_n and not config.mim_s:
        raise MimError(
            "mim_s=False needs mim_n=False: only MIM-S uses what MIM-N computes. For the network "
            "without MIM-N alone, set mim_n=False and leave mim_s."
        )
    if config.differencing == "paper" and not config.mim_n:
        raise MimError(
            "differencing='paper' needs mim_n=True: it chooses the input of MIM-N. Leave it out."
        )
