"""Flags of the processes that benchmarks/gpu.py starts."""

from absl import flags

FLAGS = flags.FLAGS

PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": None}
"""To what JAX rounds the factors of float32 products; None: as it likes."""


def define_precision():
    """Defines the flag for the precision."""
    flags.DEFINE_enum("precision", "float32", list(PRECISIONS), "See gpu.py.")


def define_flags():
    """Defines the flags of one configuration of the network."""
    define_precision()
    flags.DEFINE_integer("channels", 64, "Channels of a layer.")
    flags.DEFINE_integer("batch_size", 8, "Sequences in a batch.")
    flags.DEFINE_integer("layers", 4, "Layers.")
    flags.DEFINE_integer("img_width", 64, "Height and width of the frames.")
    flags.DEFINE_integer("total_length", 20, "Frames of a sequence, half of them context.")
    flags.DEFINE_integer("patch_size", 4, "Side of a patch.")
    flags.DEFINE_integer("steps", 10, "Timed updates and forward passes.")
