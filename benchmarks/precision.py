"""The loss after the same training in float32 and in bfloat16.

    python benchmarks/precision.py [--updates=300] [--num_hidden=16,16] [--seeds=0,1,2]

Two runs of a seed see the same sequences of generated Moving MNIST (bundled digits) in the same
order and start from the same weights; only the precision of the convolutions differs. What is
compared is the mean loss per sequence, half the sum of squares, of the last updates. Another seed
in float32 shows how much the loss depends on chance.
"""

import os
import statistics

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, os.cpu_count() // 2)))  # as run.py

import itertools

import keras
from absl import app, flags, logging
from measure import header, row

import mim_tf
from mim_tf.data.batches import training_dataset
from mim_tf.runtime.backend import skip_graph_rewriting

FLAGS = flags.FLAGS
flags.DEFINE_integer("updates", 300, "Updates of the weights.")
flags.DEFINE_integer("last", 20, "Updates to take the mean loss of.")
flags.DEFINE_list("seeds", ["0", "1"], "Of weights, sequences and scheduled sampling.")
flags.DEFINE_list("num_hidden", ["16", "16"], "Channels of the layers.")
flags.DEFINE_integer("patch_size", 8, "Side of a patch.")
flags.DEFINE_integer("img_width", 64, "Height and width of the frames.")
flags.DEFINE_integer("batch_size", 8, "Sequences in a batch.")
flags.DEFINE_float("lr", 2e-3, "Learning rate.")


def losses(precision: str, seed: int) -> list[float]:
    """Loss per sequence of each update."""
    keras.utils.set_random_seed(seed)
    model_config = mim_tf.ModelConfig(
        img_width=FLAGS.img_width,
        patch_size=FLAGS.patch_size,
        num_hidden=FLAGS.num_hidden,
        precision=precision,
    )
    data = mim_tf.DataConfig(digits="bundled", train_sequences=0, data_seed=seed)
    settings = mim_tf.TrainingConfig(
        batch_size=FLAGS.batch_size,
        reverse_input=False,
        seed=seed,
        # As in experiments/quick.cfg: true frames get fewer, and none comes in the last third.
        scheduled_sampling=True,
        sampling_share=2 / 3,
        max_iterations=FLAGS.updates,
    )
    source = mim_tf.open_source(data, model_config, "train")
    batches = training_dataset(source, settings, input_length=model_config.input_length)
    model = mim_tf.build_model(model_config)
    mim_tf.compile_for_training(model, FLAGS.lr)
    return [
        model.train_on_batch(frames, targets, return_dict=True)["loss_per_sequence"]
        for frames, targets in itertools.islice(batches, FLAGS.updates)
    ]


def main(_):
    logging.set_verbosity(logging.WARNING)
    skip_graph_rewriting()
    header("seed", "float32", "bfloat16", "difference")
    means = []
    for seed in map(int, FLAGS.seeds):
        runs = [losses(precision, seed)[-FLAGS.last :] for precision in ("float32", "bfloat16")]
        means.append([float(statistics.fmean(run)) for run in runs])
        show(seed, *means[-1])
    show("all", *map(statistics.fmean, zip(*means, strict=True)))


def show(seed, full, half):
    row(seed, f"{full:.2f}", f"{half:.2f}", f"{half / full - 1:+.2%}")


if __name__ == "__main__":
    app.run(main)
