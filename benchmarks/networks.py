"""Parameters and multiply-adds of every network.

    python benchmarks/networks.py [--num_hidden=64,64,64,64 ...]

The flags are those of the model in run.py. Multiply-adds are those of the convolutions, forward,
for one sequence of total_length frames.
"""

import dataclasses
import math
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import app

import mim_tf
from mim_tf.cli import flags

NETWORKS = ["mim", "mim_star", "predrnn", "predrnn_pp", "convlstm_net"]


def multiply_adds(model) -> int:
    """Count the multiply-adds of all convolutions on the patch grid, for T-1 frames."""
    kernels = [w.shape for w in model.trainable_variables if w.name == "kernel"]
    steps = model.config.total_length - 1
    return sum(map(math.prod, kernels)) * math.prod(model.config.grid) * steps


def main(_):
    config = mim_tf.ModelConfig(**flags.given(mim_tf.ModelConfig))
    print("| `--model_name` | parameters | multiply-adds a sequence |\n|---|---|---|")
    for name in NETWORKS:
        model = mim_tf.build_model(dataclasses.replace(config, model_name=name))
        parameters = sum(math.prod(weight.shape) for weight in model.trainable_variables)
        print(f"| `{name}` | {parameters:,} | {multiply_adds(model) / 1e9:.1f} G |")


if __name__ == "__main__":
    flags.define_config_flags(mim_tf.ModelConfig)
    app.run(main)
