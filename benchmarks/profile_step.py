"""Where the time of a training step goes, by kind of operation; TensorFlow backend.

    python benchmarks/profile_step.py [--flagfile=experiments/radar.cfg] [--precision=bfloat16] ...

The flags are those of run.py. TensorFlow's profiler notes when each operation runs on the CPU.
Seconds are those of the threads that run operations, added: of two that run at the same time, both
count. Threads that help an operation (TF_NUM_INTRAOP_THREADS) do not count.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, os.cpu_count() // 2)))  # as run.py

import collections
import re
import tempfile
from pathlib import Path

from absl import app
from measure import header, row, timed
from training_step import training

from mim_tf.cli import flags
from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.runtime.backend import skip_graph_rewriting

FLAGS = flags.FLAGS

# An operation is called "layer/layer/name:Type". It is of the first kind that is found in it.
KINDS = {
    "convolutions: gradients of filters": r":(_Mkl(Native)?)?Conv2DBackpropFilter",
    "convolutions: gradients of inputs": r":(_Mkl(Native)?)?Conv2DBackpropInput",
    "convolutions: forward": r":(_Mkl(Native)?)?_?(Fused)?Conv2D",
    "casts": r":(_Mkl)?Cast$",
    "stacks of the loop over time": r":TensorList",
    "sums of gradients": r":(AddN|AccumulateNV2)$",
    "layer norm": r"/norm(_\d+)?/",
    "copies: split, join, transpose": (
        r":(_Mkl)?(Split|Concat|Slice|StridedSlice|Transpose|Pack|Unpack|Reshape|Pad|Gather|Tile|"
        r"DepthToSpace|SpaceToDepth|Fill|ZerosLike|BroadcastTo|Identity)"
    ),
    "biases": r"/(from_\w+|to_pixels\w*|cell_reduce\w*|reduce\w*)/add",
    "gates and states": r"/while/",
    "optimizer": r"adam_inside_root|:Assign|:ReadVariableOp",
    "rest": "",
}


def main(_):
    import tensorflow as tf

    skip_graph_rewriting()
    config = ModelConfig(**flags.given(ModelConfig))
    settings = TrainingConfig(**flags.given(TrainingConfig))
    _, train = training(config, settings.batch_size, settings.rematerialise)
    for _ in range(2):
        train()
    plain = timed(train)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            profiled = timed(train)
        (trace,) = Path(folder).rglob("*.xplane.pb")
        seconds, runs = by_kind(operations(trace))
    total = sum(seconds.values())
    header("kind of operation", "thread-seconds", "share", "operations")
    for kind in sorted(seconds, key=seconds.get, reverse=True):
        row(kind, seconds[kind], f"{seconds[kind] / total:.1%}", runs[kind])
    row("all", total, "100.0%", sum(runs.values()))
    print(f"\nStep: {profiled:.2f} s, {plain:.2f} s without the profiler.")


def operations(trace: Path):
    """(name, seconds) of every run of an operation on the CPU that is in an xplane file.

    Other events, such as the executor's and that of the whole training function, contain these.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(trace.read_bytes())
    for plane in space.planes:
        names = {key: value.name.partition("#")[0] for key, value in plane.event_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                if "CPU" in plane.name and re.fullmatch(r"[^:]+:\w+", names[event.metadata_id]):
                    yield names[event.metadata_id], event.duration_ps / 1e12


def by_kind(events):
    """(seconds, number of runs) of each of `KINDS`."""
    seconds, runs = collections.Counter(), collections.Counter()
    for name, duration in events:
        kind = next(kind for kind, pattern in KINDS.items() if re.search(pattern, name))
        seconds[kind] += duration
        runs[kind] += 1
    return seconds, runs


if __name__ == "__main__":
    flags.define_config_flags(ModelConfig, DataConfig, TrainingConfig)
    app.run(main)
