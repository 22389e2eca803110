"""What happens in Python on JAX without TensorFlow, in a process of its own, printed as JSON.

python jax_process.py FILE.weights.h5 VIDEOS.npy
"""

import contextlib
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import keras
import numpy as np

import mim_tf
import mim_tf.inspection.recognise
import mim_tf.jobs.convert
import mim_tf.prediction.forecasters
from mim_tf.cli.main import main
from mim_tf.cli.weights import export
from mim_tf.config import TrainingConfig
from mim_tf.data.batches import training_dataset
from mim_tf.data.files.arrays import ArraySource
from mim_tf.jobs.evaluate import analyze
from mim_tf.training.devices import OneDevice
from mim_tf.training.optimizers import AdamInsideRoot


class Batches(keras.utils.PyDataset):
    """A single batch."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.batch


def forecasts_of_threads(weights):
    """Whether threads that share a model get the forecast of one alone, or their errors."""
    model = mim_tf.load_model(weights)
    context = np.random.default_rng(0).random((1, 3, 8, 8, 1), np.float32)
    expected = model.forecast(context)

    def forecast(_):
        try:
            return bool((model.forecast(context) == expected).all())
        except (ValueError, RuntimeError) as error:
            return str(error)

    with ThreadPoolExecutor(4) as threads:
        return sorted(set(threads.map(forecast, range(200))), key=str)


def fed_in_order():
    """Whether `fit` trains on every update once, in order."""
    fed = []

    class Watched(keras.Sequential):
        def train_step(self, state, data):
            fed.append(data[0])
            return super().train_step(state, data)

    source = ArraySource(np.random.default_rng(0).random((7, 3, 4, 4, 1), np.float32))
    updates = training_dataset(source, TrainingConfig(batch_size=2), start_iteration=1)
    model = Watched([keras.layers.Dense(1), keras.layers.Cropping3D(((1, 0), 0, 0))])
    model.compile("sgd", "mse", metrics=["mae"], run_eagerly=True)
    model.fit(updates, steps_per_epoch=9, shuffle=False, verbose=0)
    return [bool((frames == updates[n][0]).all()) for n, frames in enumerate(fed)]


def fitted_twice(weights):
    """Losses of three updates, a forecast of the averages, and three more; and their number."""
    model = mim_tf.load_model(weights)
    mim_tf.compile_for_training(model, 1e-2)
    frames = np.random.default_rng(0).random((2, 6, 8, 8, 1), np.float32)
    losses = []
    for _ in range(2):
        history = model.fit(frames, frames[:, 1:], batch_size=2, epochs=3, verbose=0).history
        losses.append(history["loss_per_sequence"])
        with OneDevice().evaluated(model, averaged=True) as average:
            mim_tf.predict(average, frames[:1, :3], horizon=3)
        for x in (frames[:, :3], Batches(np.repeat(frames, 2, axis=3))):
            with contextlib.suppress(mim_tf.MimError):  # refused, and no weights are lost
                model.predict(x, verbose=0)
    return {"losses": losses, "updates": int(model.optimizer.iterations)}


def skipped():
    """A weight, its moving average and the count after a first update that is not finite."""
    weight = keras.Variable([1.0, 2.0])
    optimizer = AdamInsideRoot(0.1, skip_nonfinite=True, use_ema=True)
    optimizer.build([weight])
    (after,), state = jax.jit(optimizer.stateless_apply)(
        [variable.value for variable in optimizer.variables],
        [keras.ops.array([1.0, np.nan])],
        [weight.value],
    )
    for variable, value in zip(optimizer.variables, state, strict=True):
        variable.assign(value)
    average = optimizer.averages[0].numpy().tolist()
    return [after.tolist(), average, int(optimizer.iterations)]


def evaluated(weights, videos):
    """Number of sequences scored by the command."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        flags = {"pretrained_model": weights, "dataset": "array", "train_data_paths": videos}
        main(["evaluate", f"--gen_frm_dir={folder}", *(f"--{k}={v}" for k, v in flags.items())])
        scores = Path(folder) / "test-001" / "scores.json"
        return json.loads(scores.read_text())["sequences"]


def analyzed(weights, videos):
    """Number of sequences looked at."""
    data = mim_tf.DataConfig(dataset="array", train_data_paths=videos)
    return analyze(mim_tf.load_model(weights), data, "test", 2, 2, 0.1, 0.9)["sequences"]


def error_of_export(weights):
    try:
        export(weights, "nowhere")
    except mim_tf.MimError as error:
        return str(error)


if __name__ == "__main__":
    weights, videos = sys.argv[1:]
    result = {
        "fed in order": fed_in_order(),
        "fitted twice": fitted_twice(weights),
        "forecasts of threads": forecasts_of_threads(weights),
        "skipped": skipped(),
        "evaluated": evaluated(weights, videos),
        "analyzed": analyzed(weights, videos),
        "error of export": error_of_export(weights),
    }
    print(json.dumps(result))
