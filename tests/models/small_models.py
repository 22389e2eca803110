"""Networks small enough to test with."""

import functools

import keras
import numpy as np

from mim_tf import ModelConfig, build_model, register_network
from mim_tf.models import frame_input, state_inputs, step_model, to_frame, to_patches
from tests.layers.cells import randomise


def small_config(**changes):
    """Two layers, non-square frames, three frames to predict after two."""
    small = {
        "img_width": 12,
        "img_height": 8,
        "img_channel": 2,
        "patch_size": 2,
        "num_hidden": (3, 3),
        "filter_size": 3,
        "input_length": 2,
        "total_length": 5,
    }
    return ModelConfig(**small | changes)


@register_network("normed")
def normed_step(config):
    """A network of one's own, with a layer that assigns variables while it is trained."""
    frame, old = frame_input(config), state_inputs(config, ["h"])
    h = keras.layers.BatchNormalization(name="norm")(to_patches(config, frame))
    h = keras.layers.Conv2D(config.num_hidden[0], 1, name="fresh")(h) + old["h"]
    return step_model(frame, to_frame(config, h), old, {"h": h}, name="normed_step")


def small_model(**changes):
    """Return a new model with random weights."""
    model = untraced(build_model(small_config(**changes)))
    randomise(model)
    return model


def shared_model(**changes):
    """Return the same model to every test, with random weights again."""
    model = _built(tuple(changes.items()))
    randomise(model)
    return model


@functools.cache
def _built(changes):
    return untraced(build_model(small_config(**dict(changes))))


def untraced(model):
    """Return the model with forecasts that run eagerly, because tracing takes seconds."""
    model.forecast_batch.__self__.run_eagerly = True
    return model


def random_frames(batch, length, seed=0):
    return np.random.default_rng(seed).random((batch, length, 8, 12, 2), np.float32)


def zero_states(model, batch):
    """All states of `model.step`, by name."""
    states = model.step.inputs[1:]
    return {state.name: np.zeros((batch, *state.shape[1:]), np.float32) for state in states}


def step(model, frame, states):
    """The next frame and the new states by name, from `model.step` itself."""
    next_frame, *new = map(np.asarray, model.step([frame, *states.values()]))
    return next_frame, dict(zip(states, new, strict=True))


def step_by_step(model, context, horizon):
    """The forecast, made by hand."""
    states = zero_states(model, len(context))
    forecast = []
    for t in range(context.shape[1] + horizon - 1):
        frame = context[:, t] if t < context.shape[1] else forecast[-1]
        prediction, states = step(model, frame, states)
        forecast.append(prediction)
    return np.stack(forecast[-horizon:], axis=1)
