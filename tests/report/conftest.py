"""A run with two evaluations, made without a network."""

import json

import numpy as np
import pytest

from mim_tf.evaluation.report import write_scores

CONTEXT, HORIZON, SEQUENCES = 3, 4, 6


def evaluation(error=10.0, channels=1, scale=None, size=16):
    """What `evaluate` returns for random frames."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (7, CONTEXT + HORIZON, size, size, channels), np.uint8)
    mse = error + np.arange(SEQUENCES)

    def part(value):
        return {
            "mean": {"mse": value, "ssim": 0.5, "CSI_30": None},
            "per_frame": {
                "mse": [value + i for i in range(HORIZON)],
                "ssim": [0.5] * HORIZON,
                "CSI_30": [None] * HORIZON,
            },
        }

    return {
        "sequences": SEQUENCES,
        **part(float(mse.mean())),
        "intervals": {"mse": [error, error + 5], "ssim": [0.4, 0.6], "CSI_30": None},
        "protocol": "mim2019",
        "input_length": CONTEXT,
        "data": {"sha256": "0" * 64, "source": "made up", **({"scale": scale} if scale else {})},
        "baselines": {"persistence": part(20.0), "context_mean": part(30.0)},
        "per_sequence": {
            "mse": mse,
            "ssim": np.full(SEQUENCES, 0.5),
            "CSI_30": np.full(SEQUENCES, np.nan),
        },
        "samples": {
            "truth": truth,
            "forecast": 255 - truth[:, CONTEXT:],
            "index": np.array([0, 1, 2, 3, 0, 4, 5]),
            "kind": np.array(["first"] * 4 + ["best", "median", "worst"]),
            "error_map": rng.random((HORIZON, size, size), np.float32),
        },
    }


@pytest.fixture
def run(tmp_path):
    """The folder of a run, the best evaluation is the last."""
    folder = tmp_path / "run-001"
    for iteration, error in ((100, 15.0), (200, 10.0)):
        write_scores(folder / "scores" / f"{iteration:06d}", evaluation(error), CONTEXT)
    (folder / "best.json").write_text(json.dumps({"iteration": 200, "mse": 12.5}))
    (folder / "train.csv").write_text("iteration,loss\n50,900\n100,700\n150,600\n200,500\n")
    record = {
        "started": "2026-01-01T00:00:00+00:00",
        "command": ["run.py", "--dataset=a <b> & c"],
        "model": {"model_name": "mim", "num_hidden": [4]},
        "data": {"dataset": "mnist"},
        "training": {"lr": 0.001},
        "sources": {"train": {"source": "made up"}},
        "backend": "tensorflow",
        "versions": {"mim_tf": "0.1.0", "jax": None},
    }
    (folder / "run.json").write_text(json.dumps(record))
    return folder
