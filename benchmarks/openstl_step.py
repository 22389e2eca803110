"""As gpu_step.py, for the MIM of OpenSTL in PyTorch; needs a checkout of it, and PyTorch."""

import contextlib
import importlib
import sys
import types
from pathlib import Path

from absl import app
from gpu_flags import FLAGS, define_flags
from measure import median_time, report, timed


def mim_class(checkout: str):
    """OpenSTL's `MIM_Model`, without importing its other networks and all that they need."""
    for name in ("openstl", "openstl.modules", "openstl.models"):
        package = types.ModuleType(name)
        package.__path__ = [str(Path(checkout, *name.split(".")))]
        sys.modules[name] = package
    parts = {"mim_modules": ("MIMBlock", "MIMN"), "predrnn_modules": ("SpatioTemporalLSTMCell",)}
    for module, names in parts.items():
        loaded = importlib.import_module(f"openstl.modules.{module}")
        for name in names:
            setattr(sys.modules["openstl.modules"], name, getattr(loaded, name))
    return importlib.import_module("openstl.models.mim_model").MIM_Model


def build(torch, device):
    """The network of the flags, and a batch: frames in patches, and that none of them is given."""
    context = FLAGS.total_length // 2
    grid = FLAGS.img_width // FLAGS.patch_size
    settings = types.SimpleNamespace(
        in_shape=(context, 1, FLAGS.img_width, FLAGS.img_width),
        patch_size=FLAGS.patch_size,
        filter_size=5,
        stride=1,
        layer_norm=True,
        pre_seq_length=context,
        aft_seq_length=FLAGS.total_length - context,
        reverse_scheduled_sampling=0,
    )
    channels = [FLAGS.channels] * FLAGS.layers
    model = mim_class(FLAGS.openstl)(FLAGS.layers, channels, settings).to(device)
    patches = FLAGS.batch_size, FLAGS.total_length, grid, grid, FLAGS.patch_size**2
    frames = torch.rand(patches, device=device)
    return model, frames, torch.zeros_like(frames[:, context + 1 :])


def multiply_adds(torch, model) -> int:
    """As in networks.py: of all convolutions, forward, for one sequence."""
    kernels = [each.weight for each in model.modules() if isinstance(each, torch.nn.Conv2d)]
    grid = FLAGS.img_width // FLAGS.patch_size
    return sum(kernel.numel() for kernel in kernels) * grid**2 * (FLAGS.total_length - 1)


def main(_):
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    for backend in (torch.backends.cuda.matmul, torch.backends.cudnn):
        backend.allow_tf32 = FLAGS.precision == "tf32"
    model, frames, given = build(torch, device)
    optimizer = torch.optim.Adam(model.parameters())

    def in_precision():
        if FLAGS.precision == "bfloat16":
            return torch.autocast(device, torch.bfloat16)
        return contextlib.nullcontext()

    def updates(number):
        for _ in range(number):
            optimizer.zero_grad()
            with in_precision():
                _, loss = model(frames, given)
            loss.backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    def forward():
        with torch.no_grad(), in_precision():
            forecast, _ = model(frames, given)
            forecast[:, -FLAGS.total_length // 2 :].cpu()

    first = timed(lambda: updates(1))
    step = timed(lambda: updates(FLAGS.steps)) / FLAGS.steps
    peak = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None
    forward()
    report(
        {
            "compile": first - step,
            "step": step,
            "peak": peak,
            "forward": median_time(forward, FLAGS.steps),
            "multiply_adds": multiply_adds(torch, model),
        }
    )


if __name__ == "__main__":
    from absl.flags import DEFINE_string

    define_flags()
    DEFINE_string("openstl", None, "The checkout.", required=True)
    app.run(main)
