"""Convert weights of the 2019 code, OpenSTL and predrnn-pytorch to weights files."""

import dataclasses
from collections.abc import Collection
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from mim_tf.config import ModelConfig
from mim_tf.config.model import OF_PYTORCH
from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor, build_model
from mim_tf.storage.paths import check_free, check_writable
from mim_tf.weights.by_name import is_checkpoint
from mim_tf.weights.files import read_weights, save_weights
from mim_tf.weights.tf1 import read_checkpoint
from mim_tf.weights.tf1_names import tf1_variables
from mim_tf.weights.torch_weights import StoredTorch, torch_variables


def convert(
    checkpoint: str | PathLike, output: str | PathLike, use_ema: bool = False, **hints: Any
) -> VideoPredictor:
    """Write weights of other code as a weights file, and return the model.

    Args:
        checkpoint: prefix of a TensorFlow 1 checkpoint, such as `model.ckpt-80000`, or one of its
            files; or a file of PyTorch.
        output: file to make, its name ending in `.h5`.
        use_ema: take the exponential moving averages of a TensorFlow 1 checkpoint.
        **hints: fields of `ModelConfig` that the weights do not have.

    Raises `MimError` if `output` cannot be written, or the checkpoint needs another hint.
    """
    if Path(output).suffix != ".h5":
        raise MimError(f"Expected an --output that ends in .h5, got {output}.")
    check_free(output, "--output")
    if is_checkpoint(checkpoint):
        stored: Any = read_checkpoint(checkpoint, use_ema)
    else:
        stored = read_weights(checkpoint)
        if use_ema or not isinstance(stored, StoredTorch):
            raise MimError(
                f"{checkpoint}: expected a TensorFlow 1 checkpoint, or without --use_ema a file of "
                "PyTorch (.pth, .ckpt), got another file."
            )
    model = build_model(dataclasses.replace(stored.config(**hints), **hints))
    stored.load(model)
    check_writable(Path(output).parent)
    save_weights(model, output)
    return model


def summary(model: VideoPredictor, hints: Collection[str]) -> str:
    """Describe what was converted; `hints` has the names of the fields that were given."""
    config = model.config
    height, width, channels = config.frame_shape
    lines = [
        f"{config.model_name}: {len(config.num_hidden)} layers of {config.num_hidden[0]} channels, "
        f"{config.filter_size}x{config.filter_size} convolutions, "
        f"with{'' if config.layer_norm else 'out'} layer norm, {model.count_params():,} weights",
        f"frames: {height} x {width} x {channels} (H x W x C) in patches of {config.patch_size}",
    ]
    for name in ("input_length", "total_length"):
        is_known = name in hints or getattr(config, name) != getattr(ModelConfig, name)
        source = "given" if is_known else "default: the weights do not tell"
        lines.append(f"{name}: {getattr(config, name)} ({source})")
    return "\n".join(lines)


def table(model: VideoPredictor) -> str:
    """Return a line per weight: name in the other code, path in `model`, shape and mean."""
    of_pytorch = model.config.model_name in OF_PYTORCH
    names = torch_variables(model) if of_pytorch else tf1_variables(model)
    return "\n".join(
        f"{name} -> {variable.path} {list(variable.shape)} mean {np.mean(variable):.6g}"
        for name, variable in names.items()
    )
