"""Predictions from files to files."""

import itertools

import numpy as np
from tqdm import tqdm

from mim_tf.errors import MimError
from mim_tf.prediction.forecasters import FromExport, FromWeights
from mim_tf.prediction.inputs import Input
from mim_tf.prediction.outputs import Output
from mim_tf.values.scale import UNIT


def predict_files(
    predictor: FromWeights | FromExport,
    inputs: list[Input],
    outputs: list[Output],
    batch_size: int = 8,
) -> None:
    """Predicts from each input and writes the result, clipped as its scale says.

    A progress bar shows how far it is. Sequences with contexts of one length are predicted
    together.

    Args:
        predictor: `FromWeights` or `FromExport`.
        inputs: `Input`s; they are released one by one.
        outputs: an `Output` for each.
        batch_size: sequences at a time.

    Raises:
        MimError: before anything is predicted, if a context does not have the length an export
            needs or an output cannot hold its prediction; later, for frames that are damaged.
    """
    scale = predictor.scale or UNIT
    for one, output in zip(inputs, outputs, strict=True):
        _check_length(one, predictor.context_length)
        output.check(predictor.frame_shape[-1], one.batch_axis, one.origin is not None, scale)
        if one.origin and output.form in ("nc", "zarr"):
            one.origin.check_step()
    forecasts = [[] for _ in inputs]
    count = sum(one.count for one in inputs)
    with tqdm(total=count, desc="predicting", unit="sequence", leave=False) as bar:
        for batch in _batches(inputs, batch_size):
            context = np.stack([inputs[number].read(n) for number, n in batch])
            forecast = scale.clip(predictor(context))
            for (number, _), frames in zip(batch, forecast, strict=True):
                forecasts[number].append(frames)
                if len(forecasts[number]) == inputs[number].count:
                    frames = np.stack(forecasts[number]) if inputs[number].batch_axis else frames
                    outputs[number].write(frames, scale, inputs[number].origin)
                    inputs[number].release()
                    forecasts[number].clear()
            bar.update(len(batch))


def _check_length(one, expected):
    if expected is not None and one.length != expected:
        raise MimError(
            f"{one.path}: the export takes contexts of {expected} frames, received {one.length}. "
            + (
                f"Give --context={expected}."
                if one.frames > expected
                else "Give more frames, or the weights file, which takes any number."
            )
        )


def _batches(inputs, size):
    """Lists of (number of an input, sequence in it), with contexts of one length in each list."""
    pairs = [(number, n) for number, one in enumerate(inputs) for n in range(one.count)]
    pairs.sort(key=lambda pair: inputs[pair[0]].length)
    for _, group in itertools.groupby(pairs, lambda pair: inputs[pair[0]].length):
        alike = list(group)
        yield from (alike[first : first + size] for first in range(0, len(alike), size))
