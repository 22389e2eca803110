"""The cells of the networks and their parts."""

from mim_tf.layers.cells import CausalLSTMCell, GradientHighway, PeepholeConvLSTMCell, STLSTMCell
from mim_tf.layers.mim import MIMN, MIMS, MIMBlock, MIMCausalBlock
from mim_tf.layers.motion import Moved, MovedOn, ScaleMixture
from mim_tf.layers.parts import DepthToSpace, GateConvolution, SpaceToDepth, TensorLayerNorm
from mim_tf.layers.torch_cells import OpenSTLCausalLSTMCell, OpenSTLConvLSTMCell, TorchSTLSTMCell

__all__ = [
    "MIMN",
    "MIMS",
    "CausalLSTMCell",
    "DepthToSpace",
    "GateConvolution",
    "GradientHighway",
    "MIMBlock",
    "MIMCausalBlock",
    "Moved",
    "MovedOn",
    "OpenSTLCausalLSTMCell",
    "OpenSTLConvLSTMCell",
    "PeepholeConvLSTMCell",
    "STLSTMCell",
    "ScaleMixture",
    "SpaceToDepth",
    "TensorLayerNorm",
    "TorchSTLSTMCell",
]
