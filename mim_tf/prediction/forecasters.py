"""Predictions from files to files, by networks: a model, or a SavedModel made by `mim export`."""

import collections
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mim_tf.config import ModelConfig
from mim_tf.config.stored import from_json
from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor
from mim_tf.prediction.inputs import Input
from mim_tf.prediction.outputs import Output
from mim_tf.runtime.optional import import_tensorflow
from mim_tf.storage.paths import read_text
from mim_tf.weights.by_name import newest_export


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A network with its weights, and what callers have to know of it."""

    config: ModelConfig  # the default one for exports that do not hold it
    frame_shape: tuple[int, int, int]
    horizon: int  # frames it predicts
    context_length: int | None  # frames it needs; None: any number
    forecast: Callable[[np.ndarray], np.ndarray]  # [B, T, H, W, C] -> [B, horizon, H, W, C]
    model: VideoPredictor | None = None  # None: an export

    def at_size(self, height: int, width: int) -> "Predictor":
        """Return the predictor for frames of another size, if its network takes any."""
        if self.model is None or not self.model.takes_any_size:
            return self
        return from_weights(self.model.at_size(height, width), self.horizon)


def from_weights(model: VideoPredictor, horizon: int | None = None) -> Predictor:
    """Return the predictor of a model, which takes contexts of any length."""
    horizon = horizon or model.config.horizon

    def forecast(context):
        return model.forecast(context, horizon, batch_size=len(context))

    return Predictor(model.config, model.config.frame_shape, horizon, None, forecast, model)


def from_export(folder: str | Path, horizon: int | None = None) -> Predictor:
    """Return the predictor of the newest version of an export.

    `folder` has a subfolder 1, 2, ... for each version, or is one of these. Raises `MimError` if it
    is no export, is corrupted or has another horizon, or TensorFlow is not installed.
    """
    path = newest_export(folder)
    stored = path / "assets" / "model_config.json"
    config = from_json(stored, read_text(stored)) if os.path.isfile(stored) else ModelConfig()
    tf = import_tensorflow("to predict with an export")

    def forecast(context):
        try:
            return np.asarray(signature(frames=tf.constant(context))["predictions"])
        except tf.errors.OpError as error:
            shape, reason = list(context.shape), _reason(error)
            raise MimError(
                f"{path} cannot predict from frames {shape}: {reason}. Give other frames, or fewer "
                "at a time with --batch_size."
            ) from None

    try:
        loaded = tf.saved_model.load(str(path))
        signature = loaded.signatures["serving_default"]
        frames = signature.structured_input_signature[1]["frames"]
        _, length, height, width, channels = frames.shape.as_list()
        shape = height, width, channels
        found = signature.structured_outputs["predictions"].shape[1]
        # The signature of early exports does not hold the horizon, so that it is measured.
        found = found or forecast(np.zeros((1, length or 1, *shape), np.float32)).shape[1]
    except Exception as error:  # TensorFlow raises many classes for corrupted files
        raise MimError(f"{path} cannot be used, make it with mim export: {error}.") from None
    if horizon not in (None, found):
        raise MimError(
            f"{folder}: expected --horizon={found}, as exported, got {horizon}. Leave the flag "
            "out, export again, or give the weights file."
        )
    return Predictor(config, shape, found, length, forecast)


def _reason(error):
    # TensorFlow first says where the error is, then the reason.
    lines = [line.strip() for line in str(error).splitlines()]
    where = ("Graph execution error", "Detected at node", "<stack traces", "[[{{node")
    return next((line for line in lines if line and not line.startswith(where)), "no reason given")


def predict_files(
    predictor: Predictor, inputs: list[Input], outputs: list[Output], batch_size: int = 8
) -> None:
    """Predict from each input and write the result to its output, clipped if the scale is.

    A batch has sequences of one context length. Inputs are released one by one. Raises `MimError`
    before the first prediction, if the network does not take a context or an output cannot hold its
    prediction; later, for corrupted frames.
    """
    scale, expected = predictor.config.frame_scale, predictor.context_length
    for one, output in zip(inputs, outputs, strict=True):
        if expected not in (None, one.length):
            remedy = f"Give --context={expected}, or the weights file, which takes any number."
            raise MimError(f"{one.path}: expected {expected} frames, got {one.length}. {remedy}")
        output.check(predictor.frame_shape[-1], one.batch_axis, one.origin, scale)
    forecasts: list[list[np.ndarray]] = [[] for _ in inputs]
    with tqdm(total=sum(one.count for one in inputs), desc="predicting", leave=False) as bar:
        for batch in _batches(inputs, batch_size):
            context = np.stack([inputs[number].read(n) for number, n in batch])
            forecast = scale.clip(predictor.forecast(context))
            for (number, _), frames in zip(batch, forecast, strict=True):
                one, found = inputs[number], forecasts[number]
                found.append(frames)
                if len(found) == one.count:
                    frames = np.stack(found) if one.batch_axis else frames
                    outputs[number].write(frames, scale, one.origin)
                    one.recordings = ()  # frees the memory of decoded frames
                    found.clear()
            bar.update(len(batch))


def _batches(inputs, size):
    """Yield lists of (input, sequence in it), with contexts of one length in each list."""
    by_length = collections.defaultdict(list)
    for number, one in enumerate(inputs):
        by_length[one.length] += [(number, n) for n in range(one.count)]
    for _, pairs in sorted(by_length.items()):
        yield from (pairs[first : first + size] for first in range(0, len(pairs), size))
