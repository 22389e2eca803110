"""The stored results of the 2019 graph."""

import dataclasses
import json
from pathlib import Path

import numpy as np

import mim_tf

GOLDEN = Path(__file__).parent / "golden"


@dataclasses.dataclass
class Golden:
    """What a 2019 graph computed, with the flags it followed; see `golden/README.md`."""

    config: mim_tf.ModelConfig
    arrays: dict[str, np.ndarray]

    @property
    def weights(self):
        return {n.removeprefix("w0:"): a for n, a in self.arrays.items() if n.startswith("w0:")}


def golden_checkpoint(name: str) -> Path:
    """Prefix of the checkpoint the 2019 graph wrote."""
    return GOLDEN / name / "model.ckpt-3"


def load_golden(name: str) -> Golden:
    case = json.loads((GOLDEN / name / "case.json").read_text())
    fields = "img_width patch_size img_channel filter_size total_length input_length layer_norm"
    config = mim_tf.ModelConfig(
        model_name=case["model"],
        num_hidden=case["num_hidden"].split(","),
        **{field: case[field] for field in fields.split()},
    )
    with np.load(GOLDEN / name / "case.npz") as file:
        arrays = dict(file)
    if case["model"] == "convlstm_net":
        # The 2019 network takes no notice of them: it is always fed its own output.
        arrays["flags"] *= 0
    return Golden(config, arrays)
