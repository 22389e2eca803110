"""The configuration of a network: its architecture and the meaning of its frames."""

import dataclasses
import math

from mim_tf.config.fields import complete, field
from mim_tf.errors import MimError
from mim_tf.values.grid import FrameGrid
from mim_tf.values.scale import UNIT, LinearScale
from mim_tf.values.step import step_from_words
from mim_tf.values.text import listed

_MOST_LAYERS = 100  # with more, building and tracing a step takes many minutes
NAMES_OF_2019 = {"mim_pp": "mim_star"}
WITH_ERA = ("predrnn_pp_openstl", "convlstm_openstl")
OF_PYTORCH = ("mim_openstl", "predrnn_torch", *WITH_ERA)
"""Networks of OpenSTL and predrnn-pytorch."""
NAMES = ("mim", "mim_star", "mim_pp", "predrnn", "predrnn_pp", "convlstm_net", *OF_PYTORCH)
"""Every `model_name` that needs no --network_module."""


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Configuration of a network. Lengths are in frames, sizes in pixels.

    Raises `MimError` for a value that no network can be built with.
    """

    model_name: str = field(
        "mim",
        "Network to build: mim, mim_star (mim_pp in the 2019 code), predrnn, predrnn_pp, "
        "convlstm_net; of OpenSTL mim_openstl, predrnn_torch, predrnn_pp_openstl, "
        "convlstm_openstl; or one that --network_module registers.",
    )
    img_width: int = field(64, "Width of a frame in pixels.", minimum=1)
    img_height: int = field(0, "Height of a frame in pixels; 0: the width.", minimum=0)
    img_channel: int = field(1, "Channels of a frame.", minimum=1)
    input_length: int = field(10, "Context length: true frames the network is given.", minimum=1)
    total_length: int = field(20, "Frames of a sequence: context and horizon.")
    num_hidden: tuple[int, ...] = field(
        (64, 64, 64, 64), "Channels of each layer, comma separated; all the same.", minimum=1
    )
    filter_size: int = field(5, "Side of the square convolution kernels; odd.", minimum=1)
    stride: int = field(1, "Stride of the convolutions; must be 1.", minimum=1, maximum=1)
    patch_size: int = field(
        4,
        "Side of the square patches a frame is cut into. The paper's Moving MNIST experiment uses "
        "4. The default of the 2019 code, 1, costs 16 times the time and memory.",
        minimum=1,
    )
    layer_norm: bool = field(True, "Tensor layer norm after the gates' convolutions.")
    mim_n: bool = field(True, "MIM-N in mim and mim_star; without it MIM-S gets D = 0.")
    mim_s: bool = field(
        True, "MIM-S in mim and mim_star. Without MIM-S and MIM-N they are predrnn and predrnn_pp."
    )
    differencing: str = field(
        "code",
        "Input of MIM-N in layers 3 and up of mim and mim_star: code (the output of the MIM-N "
        "below, as in the 2019 code) or paper (the change of the hidden state below).",
        choices=("code", "paper"),
    )
    prediction: str = field(
        "frame",
        "What the network computes of the next frame: frame (all of it, as in the paper), change "
        "(what to add to the last frame), motion (how the last frame moves, and what to add) or "
        "flow (what to add to the last frame moved along optical flow, and how fast it blurs).",
        choices=("frame", "change", "motion", "flow"),
    )
    channels_apart: bool = field(
        False,
        "Apply the network to each channel on its own, with the same weights. Weights for grey "
        "frames then fit frames in colour. It takes img_channel times as long.",
    )
    peephole: str = field(
        "position",
        "Weights of the cell state in the gates of MIM-N, MIM-S and ConvLSTM: position (one at "
        "each position and channel, as in the 2019 code) or channel, whose networks, without "
        "layer norm, take frames of any size.",
        choices=("position", "channel"),
    )
    pad: bool = field(
        False,
        "Continue frames by reflection to a whole number of patches, and cut predictions again.",
    )
    era: str = field(
        "2023",
        "Equations of predrnn_pp_openstl and convlstm_openstl: 2023 (as in the weights that "
        "OpenSTL released) or lightning (since December 2023).",
        choices=("2023", "lightning"),
    )
    precision: str = field(
        "float32",
        "Precision of the convolutions in the cells: float32, bfloat16, or auto (the faster one "
        "on this machine). Weights, states, gates, norms and loss are always float32.",
        choices=("float32", "bfloat16", "auto"),
    )
    scale: LinearScale | None = field(
        None, "Physical values of the numbers in frames; None: numbers in [0, 1].", is_flag=False
    )
    frame_step: str = field("", "Time between two frames, such as 6 hours.", is_flag=False)
    frame_grid: FrameGrid | None = field(None, "Coordinates of rows and columns.", is_flag=False)

    def __post_init__(self):
        if isinstance(self.scale, dict):  # from JSON
            object.__setattr__(self, "scale", LinearScale(**self.scale))
        if not isinstance(self.frame_grid, FrameGrid):  # from JSON, or text of version 1.2
            grid = FrameGrid.from_stored(self.frame_grid) if self.frame_grid else None
            object.__setattr__(self, "frame_grid", grid)
        object.__setattr__(self, "img_height", self.img_height or self.img_width)
        complete(self)
        self._check_together()
        if self.frame_step:
            step_from_words(self.frame_step)
        name = NAMES_OF_2019.get(self.model_name, self.model_name)
        object.__setattr__(self, "model_name", name)

    @property
    def frame_scale(self) -> LinearScale:
        """Return `scale`, or the scale of frames in [0, 1]."""
        return self.scale or UNIT

    @property
    def num_layers(self) -> int:
        """Return the number of layers of recurrent cells."""
        return len(self.num_hidden)

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Return (H, W, C) of a frame."""
        return self.img_height, self.img_width, self.img_channel

    @property
    def step_channels(self) -> int:
        """Return the channels of a frame that the network sees at once."""
        return 1 if self.channels_apart else self.img_channel

    @property
    def grid(self) -> tuple[int, int]:
        """Return (H, W) of the patch grid, the spatial size of every state."""
        return -(-self.img_height // self.patch_size), -(-self.img_width // self.patch_size)

    @property
    def horizon(self) -> int:
        """Return the number of frames predicted after the context."""
        return self.total_length - self.input_length

    def conflict(self, other: "ModelConfig", with_size: bool = False) -> str:
        """Return the first field for which `other` needs other weights; "" if they may fit.

        Frames may have another size without layer norm, whose mean is over a frame; `with_size`
        compares the size then, too.
        """
        free: tuple[str, ...] = () if with_size or self.layer_norm else SIZE_FIELDS
        if self.step_channels == other.step_channels:
            free += ("img_channel", "channels_apart")
        names = (name for name in ARCHITECTURE_FIELDS if name not in free)
        return next((name for name in names if getattr(self, name) != getattr(other, name)), "")

    def _check_together(self):
        if self.filter_size % 2 == 0:
            raise MimError(f"Expected an odd filter_size, got {self.filter_size}.")
        if not 1 <= len(self.num_hidden) <= _MOST_LAYERS:
            raise MimError(
                f"num_hidden must have 1 to {_MOST_LAYERS} layers, got {len(self.num_hidden)}."
            )
        if len(set(self.num_hidden)) > 1:
            # The spatial memory m passes through all layers.
            raise MimError(f"num_hidden must be the same in every layer, got {self.num_hidden}.")
        divisor = math.gcd(self.img_height, self.img_width)
        if self.pad:
            if self.patch_size > (least := min(self.img_height, self.img_width)):
                raise MimError(f"patch_size must be at most {least}, got {self.patch_size}.")
        elif divisor % self.patch_size:
            fitting = listed(side for side in range(1, 17) if divisor % side == 0)
            raise MimError(
                f"patch_size must be {fitting} for frames of {self.img_height} x {self.img_width}, "
                f"got {self.patch_size}. Or give --pad."
            )
        if self.total_length <= self.input_length:
            lengths = f"{self.total_length} and {self.input_length}"
            raise MimError(f"total_length must be above input_length, got {lengths}.")
        channels = self.scale.channels if self.scale else None
        if channels not in (None, self.img_channel):
            raise MimError(f"img_channel must be {channels}, as in scale, got {self.img_channel}.")
        if self.mim_n and not self.mim_s:
            raise MimError("Expected mim_n=False with mim_s=False: only MIM-S uses MIM-N.")
        if self.era != "2023" and self.model_name not in WITH_ERA:
            raise MimError(f"era must be 2023 for {self.model_name}, got {self.era}.")
        if self.differencing == "paper" and not self.mim_n:
            raise MimError("Expected mim_n=True with differencing=paper, the input of MIM-N.")


ABLATION_FIELDS = ("mim_n", "mim_s", "differencing")
"""Fields of `ModelConfig` that remove or change parts of MIM blocks."""

SIZE_FIELDS = ("img_height", "img_width")
"""Fields that may differ from training where no weight depends on them."""

ARCHITECTURE_FIELDS = (
    *("model_name", *SIZE_FIELDS, "img_channel", "channels_apart", "num_hidden"),
    *("filter_size", "stride", "patch_size", "pad", "layer_norm", "prediction", "peephole"),
    *("era", *ABLATION_FIELDS),
)
"""Fields of `ModelConfig` that determine the weights; the other fields may change later."""
