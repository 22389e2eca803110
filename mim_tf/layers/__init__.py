"""The cells of the networks, and what they are made of."""

from mim_tf.layers.causal_lstm import CausalLSTMCell
from mim_tf.layers.gate_convolution import GateConvolution
from mim_tf.layers.gradient_highway import GradientHighway
from mim_tf.layers.mim_block import MIMBlock
from mim_tf.layers.mim_causal_block import MIMCausalBlock
from mim_tf.layers.mim_n import MIMN
from mim_tf.layers.mim_s import MIMS
from mim_tf.layers.patches import DepthToSpace, SpaceToDepth
from mim_tf.layers.peephole_conv_lstm import PeepholeConvLSTMCell
from mim_tf.layers.st_lstm import STLSTMCell
from mim_tf.layers.tensor_layer_norm import TensorLayerNorm

__all__ = [
    "MIMN",
    "MIMS",
    "CausalLSTMCell",
    "DepthToSpace",
    "GateConvolution",
    "GradientHighway",
    "MIMBlock",
    "MIMCausalBlock",
    "PeepholeConvLSTMCell",
    "STLSTMCell",
    "SpaceToDepth",
    "TensorLayerNorm",
]
