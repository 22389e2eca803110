"""From the start of a process to the first prediction of a model it loads.

    python benchmarks/first_prediction.py [--pretrained_model=FILE.weights.h5]

Without a file, it is the paper's network with random weights.
"""

import tempfile
import time

START = time.perf_counter()

from absl import app, flags
from measure import header, in_fresh_process, report, row

FLAGS = flags.FLAGS
flags.DEFINE_string("pretrained_model", "", "Weights file to load.")
flags.DEFINE_enum("step", "", ["", "make", "predict"], "What a process started by this one does.")


def make(path):
    """Writes random weights."""
    import mim_tf

    mim_tf.save_weights(mim_tf.build_model(), path)
    report({})


def predict(path):
    """Loads and predicts, and reports the seconds since the start."""
    import numpy as np

    import mim_tf

    imported = time.perf_counter() - START
    model = mim_tf.load_model(path)
    loaded = time.perf_counter() - START
    context = np.zeros((1, model.config.input_length, *model.config.frame_shape), np.float32)
    mim_tf.predict(model, context, model.config.horizon)
    report({"import": imported, "load": loaded, "predict": time.perf_counter() - START})


def main(_):
    if FLAGS.step:
        {"make": make, "predict": predict}[FLAGS.step](FLAGS.pretrained_model)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = FLAGS.pretrained_model or f"{folder}/random.weights.h5"
        if not FLAGS.pretrained_model:
            in_fresh_process("first_prediction.py", f"--pretrained_model={path}", "--step=make")
        header("after", "seconds since the start")
        numbers = in_fresh_process(
            "first_prediction.py", f"--pretrained_model={path}", "--step=predict"
        )
        for name, seconds in numbers.items():
            row(name, seconds)


if __name__ == "__main__":
    app.run(main)
