"""Trains and evaluates video prediction networks; `python run.py --help` lists the flags."""

import os

# The convolutions of a step are many and small: two at a time on half of the cores each beat one
# at a time on all of them. benchmarks/README.md has the figures.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))

from absl import app, logging

from mim_tf.cli import flags
from mim_tf.cli.command import command
from mim_tf.config import DataConfig, DeviceConfig, TrainingConfig
from mim_tf.errors import MimError

FLAGS = flags.FLAGS


def train():
    from mim_tf.runs import last_resumable, read_record
    from mim_tf.training.train import train

    training = TrainingConfig(**flags.given(TrainingConfig))
    folder = last_resumable(training.save_dir) if FLAGS.resume else None
    if folder:
        model, data, training = map(flags.resumed, read_record(folder))
    else:
        if FLAGS.resume:
            logging.warning("No snapshot in %s: starting a new run.", training.save_dir)
        model = flags.model_config()
        data = DataConfig(**flags.given(DataConfig))
    devices = DeviceConfig(**flags.given(DeviceConfig))
    folder = train(model, data, training, FLAGS.pretrained_model, FLAGS.resume, devices)
    if folder:
        print(f"\nThe run is in {folder}, its pictures in {training.gen_frm_dir}/{folder.name}.")


def test():
    from mim_tf.evaluation.evaluate_weights import evaluate_weights

    if not FLAGS.pretrained_model:
        raise MimError("Evaluation needs --pretrained_model=FILE.weights.h5, received none.")
    model = flags.model_config()
    data = DataConfig(**flags.given(DataConfig))
    # Unlike evaluations during training, of all sequences.
    training = TrainingConfig(**{"max_test_sequences": 0, **flags.given(TrainingConfig)})
    report, folder = evaluate_weights(model, data, training, FLAGS.pretrained_model)
    print(f"{report}\nScores and pictures are in {folder}.")


@command
def main():
    logging.set_verbosity(logging.INFO)
    train() if FLAGS.is_training else test()


if __name__ == "__main__":
    flags.define_flags()
    app.run(main)
