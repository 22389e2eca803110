"""Draw docs/radar.png: an hour of rain on 20 May 2018, MIM's forecast, and extrapolation.

pip install ".[grid]" && pip install --no-deps pycomlink
python docs/make_radar_figure.py
"""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

import mim_tf
from mim_tf.config import DataConfig
from mim_tf.data.dataset import frame_shape, open_source
from mim_tf.data.source import filled
from mim_tf.evaluation.baselines import extrapolate_along_flow

LEADS = (3, 6, 12)  # frames of 5 minutes
RATES = 0.2, 50.0  # mm/h, the ends of the colours


def main() -> None:
    """Take the window of the test day with the most rain."""
    data = DataConfig("radolan", window_stride=12)
    model = mim_tf.load_model("radolan").at_size(*frame_shape(data)[:2])
    source = open_source(data, model.config, "test")
    sequences = source.sequences(range(source.size))
    wettest = int(np.nansum(sequences, axis=(1, 2, 3, 4)).argmax())
    truth = sequences[wettest : wettest + 1]
    context = filled(truth[:, : model.config.input_length])
    horizon = model.config.horizon
    rows = {
        "radar": truth[:, -horizon:],
        "MIM": np.clip(model.forecast(context), 0, 1),
        "optical flow": extrapolate_along_flow(context, horizon),
    }
    figure = Figure(figsize=(8, 6.6), layout="constrained")
    panels = figure.subplots(len(rows), len(LEADS))
    colors = matplotlib.colormaps["turbo"].with_extremes(under="white", bad="0.85")
    for row, (name, frames) in zip(panels, rows.items(), strict=True):
        # A logarithm has no colour for 0, which is below its range, unlike what is missing.
        rain = np.maximum(source.scale.to_physical(frames[0, ..., 0]), 1e-3)
        for axes, lead in zip(row, LEADS, strict=True):
            # Rows go from south to north.
            look = {"origin": "lower", "interpolation": "nearest"}
            picture = axes.imshow(rain[lead - 1], colors, LogNorm(*RATES), **look)
            axes.set(xticks=[], yticks=[])
            if name == "radar":
                axes.set_title(f"{5 * lead} minutes", fontsize=11)
        row[0].set_ylabel(name, fontsize=11)
    figure.colorbar(picture, ax=panels, label="mm/h", shrink=0.6)
    figure.savefig(Path(__file__).with_name("radar.png"), dpi=80)


if __name__ == "__main__":
    main()
