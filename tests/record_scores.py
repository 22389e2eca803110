"""Scores of the weights in experiments/record.cfg on its first 16 sequences, of bundled digits.

python -m tests.record_scores

writes them anew, after those weights were replaced.
"""

import json
import tempfile
from pathlib import Path

from mim_tf.cli.configs import load_network
from mim_tf.cli.evaluate import EVALUATE
from mim_tf.cli.flags import given, parse
from mim_tf.config import DataConfig, TrainingConfig

FLAGFILE = Path(__file__).parents[1] / "experiments" / "record.cfg"
STORED = Path(__file__).with_name("record_scores.json")
SEQUENCES = 16


def record_scores() -> dict:
    """The SHA-256 of the sequences, and score -> mean."""
    from mim_tf.jobs.evaluate import evaluate_weights

    values = EVALUATE.flag_values()
    with tempfile.TemporaryDirectory() as folder:
        subset = ["--digits=bundled", f"--max_test_sequences={SEQUENCES}", "--num_save_samples=0"]
        parse(values, [f"--flagfile={FLAGFILE}", *subset, f"--gen_frm_dir={folder}"])
        configs = (DataConfig, TrainingConfig)
        data, training = (config(**given(config, values)) for config in configs)
        network = load_network(values, values.pretrained_model)
        _, written = evaluate_weights(network, data, training, values.pretrained_model)
        scores = json.loads((written / "scores.json").read_text())
    return {"sha256": scores["data"]["sha256"], "mean": scores["mean"]}


if __name__ == "__main__":
    STORED.write_text(json.dumps(record_scores(), indent=1) + "\n")
