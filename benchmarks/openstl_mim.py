"""The MIM of OpenSTL in PyTorch, measured for gpu.py; needs a checkout of it, and PyTorch."""

import contextlib
import importlib
import sys
import types
from pathlib import Path

import torch
from measure import median_time, timed


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


def build(settings, channels: int, batch_size: int, device: str):
    """The network, and a batch: frames in patches, and flags that give the network none of them."""
    context = settings.total_length // 2
    grid = settings.img_width // settings.patch_size
    configuration = types.SimpleNamespace(
        in_shape=(context, 1, settings.img_width, settings.img_width),
        patch_size=settings.patch_size,
        filter_size=5,
        stride=1,
        layer_norm=True,
        pre_seq_length=context,
        aft_seq_length=settings.total_length - context,
        reverse_scheduled_sampling=0,
    )
    mim = mim_class(settings.openstl)
    model = mim(settings.layers, [channels] * settings.layers, configuration).to(device)
    patches = batch_size, settings.total_length, grid, grid, settings.patch_size**2
    frames = torch.rand(patches, device=device)
    return model, frames, torch.zeros_like(frames[:, context + 1 :])


def multiply_adds(settings, model) -> int:
    """As in networks.py: of all convolutions, forward, for one sequence."""
    kernels = [each.weight for each in model.modules() if isinstance(each, torch.nn.Conv2d)]
    grid = settings.img_width // settings.patch_size
    return sum(kernel.numel() for kernel in kernels) * grid**2 * (settings.total_length - 1)


def measure(settings, channels: int, batch_size: int, precision: str) -> dict:
    """As `measure_mim_tf` of gpu.py, whose flags `settings` has."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for backend in (torch.backends.cuda.matmul, torch.backends.cudnn):
        backend.allow_tf32 = precision == "tf32"
    model, frames, flags = build(settings, channels, batch_size, device)
    optimizer = torch.optim.Adam(model.parameters())

    def in_precision():
        if precision == "bfloat16":
            return torch.autocast(device, torch.bfloat16)
        return contextlib.nullcontext()

    def updates(number):
        for _ in range(number):
            optimizer.zero_grad()
            with in_precision():
                _, loss = model(frames, flags)
            loss.backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    def forward():
        with torch.no_grad(), in_precision():
            forecast, _ = model(frames, flags)
            forecast[:, -settings.total_length // 2 :].cpu()

    first = timed(lambda: updates(1))
    step = timed(lambda: updates(settings.steps)) / settings.steps
    peak = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None
    forward()
    return {
        "compile": first - step,
        "step": step,
        "peak": peak,
        "forward": median_time(forward, settings.steps),
        "multiply_adds": multiply_adds(settings, model),
    }
