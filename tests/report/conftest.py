"""A run with two evaluations, made without a network, and readers of pages."""

import base64
import html
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from mim_tf.evaluation.stored import write_scores

CONTEXT, HORIZON, SEQUENCES = 3, 4, 6
DBZ = {"unit": "dBZ", "low": 0.0, "high": 70.0}


def evaluation(error=10.0, channels=1, scale=None, size=16, missing=None):
    """Return what `evaluate` returns for random frames; `missing` marks values of the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (7, CONTEXT + HORIZON, size, size, channels), np.uint8)
    mse = error + np.arange(SEQUENCES)

    def part(value):
        by_time = {"mse": [value + i for i in range(HORIZON)], "ssim": [0.5] * HORIZON}
        return {
            "mean": {"mse": value, "ssim": 0.5, "CSI_30": None},
            "per_frame": {**by_time, "CSI_30": [None] * HORIZON},
        }

    result = {
        "sequences": SEQUENCES,
        **part(float(mse.mean())),
        "intervals": {"mse": [error, error + 5], "ssim": [0.4, 0.6], "CSI_30": None},
        "protocol": "mim2019",
        "input_length": CONTEXT,
        "data": {"sha256": "0" * 64, "source": "made up", **({"scale": scale} if scale else {})},
        "baselines": {"persistence": part(20.0), "context_mean": part(30.0)},
        "per_sequence": {"mse": mse, "ssim": 0 * mse + 0.5, "CSI_30": np.nan * mse},
        "samples": {
            "truth": truth,
            "forecast": 255 - truth[:, CONTEXT:],
            "index": np.array([0, 1, 2, 3, 0, 4, 5]),
            "kind": np.array(["first"] * 4 + ["best", "median", "worst"]),
            "error_map": rng.random((HORIZON, size, size), np.float32),
        },
    }
    if missing is not None:
        result["samples"]["missing"] = np.zeros(truth.shape, bool)
        result["samples"]["missing"][missing] = True
    return result


def make_run(folder, model="mim", error=10.0, scale=None):
    """Write a run with two evaluations, of which the last is the best."""
    for iteration, worse in ((100, 5.0), (200, 0.0)):
        result = evaluation(error + worse, scale=scale)
        write_scores(folder / "scores" / f"{iteration:06d}", result, CONTEXT)
    (folder / "best.json").write_text(json.dumps({"iteration": 200, "mse": error + 2.5}))
    (folder / "train.csv").write_text(
        "iteration,loss,processor_seconds,seconds\n"
        "50,900,1500,900\n100,700,3000,1800\n150,600,4500,2700\n200,500,6000,3725.4\n"
    )
    record = {
        "started": "2026-01-01T00:00:00+00:00",
        "command": ["run.py", f"--model_name={model}", "--dataset=a <b> & c"],
        "model": {"model_name": model, "num_hidden": [4]},
        "data": {"dataset": "mnist"},
        "training": {"lr": 0.001, "reverse_input": True, "save_dir": str(folder)},
        "sources": {"train": {"source": "made up"}},
        "backend": "tensorflow",
        "versions": {"mim_tf": "0.1.0", "jax": None},
    }
    (folder / "run.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run-001")


@pytest.fixture
def runs(tmp_path):
    """Two runs on the same sequences, the second better on each."""
    return [
        make_run(tmp_path / "mim" / "run-001"),
        make_run(tmp_path / "convlstm" / "run-001", "convlstm_net", error=8.0),
    ]


def text_of(path):
    """Return the words of a page, without tags."""
    page = re.sub(r"<(style|script)>.*?</\1>", "", path.read_text(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def decoded(pane):
    """Return the frames of a pane, `[T, H, W, 3]`."""
    data = pane.picture.removeprefix("data:image/png;base64,")
    row = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    return np.stack(np.split(row, pane.frames, axis=1))
