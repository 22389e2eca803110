"""Trains on one and on two devices of this process, and prints the losses as JSON.

python devices_process.py FOLDER; KERAS_BACKEND and, for JAX, XLA_FLAGS come from the environment.
"""

import csv
import json
import sys
from pathlib import Path

import keras

from mim_tf import DataConfig, ModelConfig, TrainingConfig
from mim_tf.config import DeviceConfig

MODEL = {
    "model_name": "convlstm_net",
    "img_width": 32,
    "patch_size": 8,
    "num_hidden": (2,),
    "filter_size": 3,
    "layer_norm": False,
    "input_length": 2,
    "total_length": 5,
}
DATA = {"digits": "bundled", "train_sequences": 20, "valid_sequences": 3}
TRAINING = {
    "batch_size": 4,
    "scheduled_sampling": True,
    "sampling_start_value": 0.5,  # half of the frames after the context are true ones
    "reverse_input": False,
    "num_save_samples": 0,
    "evaluate_ema": True,
}


def losses(folder, strategy):
    """Return five updates, in the order of the iterations, and the last score."""
    from mim_tf.jobs.train import train

    folders = {"save_dir": str(folder / strategy), "gen_frm_dir": str(folder / strategy)}
    training = TrainingConfig(**TRAINING, **folders, max_iterations=5)
    devices = DeviceConfig(strategy=strategy)
    run = train(ModelConfig(**MODEL), DataConfig(**DATA), training, device_config=devices)
    with (run / "train.csv").open() as file:
        rows = [float(row["loss"]) for row in csv.DictReader(file)]
    scores = json.loads((run / "scores" / "000005" / "scores.json").read_text())
    return [*rows, scores["mean"]["mse"]]


if __name__ == "__main__":
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
    print(json.dumps([losses(Path(sys.argv[1]), each) for each in ("single", "mirrored")]))
