"""Predictions from files to files."""

import itertools
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from mim_tf.errors import MimError
from mim_tf.prediction.inputs import Input
from mim_tf.prediction.outputs import Output

if TYPE_CHECKING:
    from mim_tf.prediction.forecasters import Predictor


def predict_files(
    predictor: "Predictor", inputs: list[Input], outputs: list[Output], batch_size: int = 8
) -> None:
    """Predict from each input and write the result to its output, clipped if the scale is.

    A batch has sequences of one context length. Inputs are released one by one.

    Raises:
        MimError: before the first prediction, if the network does not take a context or an output
            cannot hold its prediction; later, for corrupted frames.
    """
    scale, expected = predictor.config.frame_scale, predictor.context_length
    for one, output in zip(inputs, outputs, strict=True):
        if expected not in (None, one.length):
            raise MimError(
                f"{one.path}: expected a context of {expected} frames, as the export takes, got "
                f"{one.length}. Give --context={expected}, or the weights file, which takes any "
                "number."
            )
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
                    one.release()
                    found.clear()
            bar.update(len(batch))


def _batches(inputs, size):
    """Return lists of (input, sequence in it), with contexts of one length in each list."""

    def length(pair):
        return inputs[pair[0]].length

    pairs = [(number, n) for number, one in enumerate(inputs) for n in range(one.count)]
    for _, group in itertools.groupby(sorted(pairs, key=length), length):
        alike = list(group)
        yield from (alike[first : first + size] for first in range(0, len(alike), size))
