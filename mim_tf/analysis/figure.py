"""One figure of what happens inside a network."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

COLORS = matplotlib.colormaps["viridis"]
STYLES = ("-", "--", ":", "-.")


def draw(path, result: dict, input_length: int, title: str) -> None:
    """Draws saturation and norms over the frames, one line for each gate and memory.

    Args:
        path: PNG file to make.
        result: of `InsideStatistics.result`.
        input_length: context length; a line marks where predictions are fed.
        title: above the figure.
    """
    layers = sorted(result["norms"], key=lambda name: int(name.split()[1]))
    columns = 2 if layers else 1
    figure = Figure(figsize=(7 * columns, 5), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    shares = {
        name: np.add(share["below"], share["above"]) for name, share in result["saturation"].items()
    }
    _lines(axes[0], shares, input_length, "share of saturated gate values")
    axes[0].set_ylim(0, 1)
    if layers:
        norms = {
            f"{memory}, {layer}": result["norms"][layer][memory]
            for memory in ("N", "S", "T", "D")
            for layer in layers
            if memory in result["norms"][layer]
        }
        _lines(axes[1], norms, input_length, "norm, mean of sequences")
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


def _lines(axes, series, input_length, label):
    for number, (name, values) in enumerate(series.items()):
        color = COLORS(number / max(1, len(series) - 1) * 0.9)
        frames = np.arange(1, len(values) + 1)
        axes.plot(frames, values, STYLES[number % len(STYLES)], color=color, label=name)
    axes.axvline(input_length + 0.5, color="grey", linewidth=0.8)
    axes.set_xlabel("frame fed to the network (right of the line: its own prediction)")
    axes.set_ylabel(label)
    axes.legend(fontsize=7, ncols=2)
