"""
Title: Next-frame video prediction with Memory In Memory
Author: The mim_tf maintainers
Date created: 2026/11/25
Last modified: 2026/11/25
Description: Predict video with ConvLSTM and MIM cells, without looking into the future.
Accelerator: None
"""

"""
## Introduction

A next-frame model reads a video and, after every frame, predicts the one that follows. Fed with
its own predictions it goes on as long as we like. This example builds two of them on Moving
MNIST, where two handwritten digits bounce around in a square:

- a stack of `ConvLSTM2D` layers, with nothing but Keras;
- a network of **Memory In Memory** (MIM, [Wang et al., CVPR
  2019](https://arxiv.org/abs/1811.07490)) with the cells of the package `mim_tf`.

It also shows a mistake that is easily made with such models and hard to see: a layer that looks
one frame ahead. The model then copies its target instead of predicting it, has a splendid loss,
and fails as soon as there is no future to look into.

Everything here runs in a few minutes on two processor cores, which is enough to see how it
works and far too short for good predictions.

## Setup

In a clone of the repository of `mim_tf`: `pip install ".[examples]"`.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, ops

import mim_tf
from mim_tf.layers import MIMN, MIMBlock, STLSTMCell

keras.utils.set_random_seed(0)

TRAIN_SEQUENCES = 256
TEST_SEQUENCES = 32
EPOCHS = 3
FILTERS = 32
PATCH = 8
CONTEXT = 10

"""
## Data

`mim_tf` comes with a few thousand digits and makes sequences of them. Videos are `[sequence,
time, height, width, channel]`, from 0 to 1. The input of a next-frame model is all frames but
the last, and its target is all frames but the first.
"""

data = mim_tf.DataConfig(digits="bundled")
train = mim_tf.open_source(data, mim_tf.ModelConfig(), "train").sequences(range(TRAIN_SEQUENCES))
test = mim_tf.open_source(data, mim_tf.ModelConfig(), "test").sequences(range(TEST_SEQUENCES))
print(train.shape, test.shape)

"""
## A stack of ConvLSTM2D

A recurrent convolution on all 64x64 pixels is slow and sees little of the picture at a time. So
both models cut each frame into patches: a strided convolution turns each patch of 8x8 pixels
into one pixel of an 8x8 grid, and a transposed convolution turns the grid into a frame again.
`TimeDistributed` applies them to each frame by itself.
"""


def cut():
    return layers.TimeDistributed(layers.Conv2D(FILTERS, PATCH, strides=PATCH))


def join():
    return layers.TimeDistributed(layers.Conv2DTranspose(1, PATCH, strides=PATCH))


def conv_lstm(last_convolution):
    frames = keras.Input((None, 64, 64, 1))
    x = cut()(frames)
    for _ in range(2):
        x = layers.ConvLSTM2D(FILTERS, 3, padding="same", return_sequences=True)(x)
    return keras.Model(frames, join()(last_convolution(x)))


def by_frame():
    """The right way: a prediction is made of the features of its own time step."""
    return layers.TimeDistributed(layers.Conv2D(FILTERS, 3, padding="same", activation="relu"))


"""
## The mistake: a convolution over time

The last convolution must turn features into frames. `Conv3D` seems to fit, because the features
have a time axis. But with a kernel of 3 and "same" padding, a `Conv3D` computes its output at
time t from the features at t - 1, t **and t + 1**. The features at t + 1 come from frame t + 1,
and frame t + 1 is the target at time t.
"""


def over_time():
    """The mistake: a prediction is also made of the features of the time step after it."""
    return layers.Conv3D(FILTERS, 3, padding="same", activation="relu")


"""
Whether a model looks ahead is easy to test, before any training: change one frame and see which
predictions change. Those before that frame must not.
"""


def first_change(model, changed=6):
    """The first time step whose prediction changes when frame `changed` of the input does."""
    frames = test[:1, :-1]
    other = frames.copy()
    other[:, changed] = 1 - other[:, changed]
    difference = np.abs(model.predict(frames, verbose=0) - model.predict(other, verbose=0))
    return int(np.argmax(difference.max(axis=(0, 2, 3, 4)) > 1e-6))


print("frame 6 changes predictions from time step")
print(first_change(conv_lstm(over_time())), "on, with Conv3D")
print(first_change(conv_lstm(by_frame())), "on, with TimeDistributed(Conv2D)")

"""
The `Conv3D` answers frame 6 at time step 5, where frame 6 is what should be predicted. In
training it could simply copy it. In use the last time step has no next frame, the padding gives
it zeros, and what was learnt is of no use. A `Conv3D` with "causal" padding would be right as
well; Keras has that for `Conv1D` only.

## Memory In Memory

A MIM network is a stack of recurrent cells. Each gets the states of the step before and what
the layer below has computed, and returns new states:

- layer 1 is an ST-LSTM: a ConvLSTM with a second memory `m`, which goes up through the stack
  and from the top back to the bottom of the next time step;
- in the layers above, a MIM block has a memory of its own instead of the forget gate. Its
  first part, MIM-N, is given how the hidden state below has *changed*, and follows what is not
  stationary; its second part, MIM-S, combines that with the cell state.

The cells keep nothing between calls. One time step of the network is a cell as well, which
`keras.layers.RNN` runs over time.
"""


@keras.saving.register_keras_serializable("mim_example")
class MIMStep(layers.Layer):
    """One time step of a MIM network of two layers, on a grid `[B, H, W, C]`."""

    def __init__(self, filters, grid, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.grid = filters, grid
        self.bottom = STLSTMCell(filters, kernel_size=3)
        self.non_stationary = MIMN(filters, kernel_size=3)
        self.top = MIMBlock(filters, kernel_size=3)
        self.state_size = [filters] * 8

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, *self.grid, self.filters)) for _ in self.state_size]

    def build(self, shape):
        state = (*shape[:-1], self.filters)
        self.bottom.build(shape)
        self.non_stationary.build(state)
        self.top.build([state, state])

    def call(self, inputs, states):
        h1, c1, h2, c2, s, d, n, m = states
        new_h1, (_, c1, m) = self.bottom(inputs, [h1, c1, m])
        d, (_, n) = self.non_stationary(new_h1 - h1, [d, n])
        h2, (_, c2, s, m) = self.top([new_h1, d], [h2, c2, s, m])
        return h2, [new_h1, c1, h2, c2, s, d, n, m]


class MIMNetwork(keras.Model):
    """Predicts every next frame, as the stack of ConvLSTM2D does."""

    def __init__(self, filters=FILTERS, grid=(64 // PATCH, 64 // PATCH), **kwargs):
        super().__init__(**kwargs)
        self.cut = cut()
        self.over_time = layers.RNN(MIMStep(filters, grid), return_sequences=True)
        self.join = join()

    def call(self, frames):
        return self.join(self.over_time(self.cut(frames)))


mim = MIMNetwork()
print(first_change(mim), "on, with MIM")

"""
## Training

Both models are trained in the same way: `compile` and `fit`. The loss is the mean squared
error.
"""

models = {"ConvLSTM2D": conv_lstm(by_frame()), "MIM": mim}
for name, model in models.items():
    model.compile(optimizer=keras.optimizers.Adam(2e-3, global_clipnorm=1.0), loss="mse")
    model.fit(train[:, :-1], train[:, 1:], batch_size=8, epochs=EPOCHS, verbose=2)
    print(f"{name}: {model.count_params():,} parameters")

"""
## Prediction

The forecast is made frame by frame: the newest prediction is put into the video, and the model
is asked again. Here there is no future to look into, so this is the score that counts.
"""


def forecast(model, context, horizon):
    # All frames have a place from the start. Those to come are black, which no model here can see.
    known = context.shape[1]
    frames = np.pad(context, ((0, 0), (0, horizon), (0, 0), (0, 0), (0, 0)))
    for time in range(known, known + horizon):
        following = model.predict(frames[:, :-1], verbose=0)[:, time - 1]
        frames[:, time] = np.clip(following, 0, 1)
    return frames[:, known:]


context, truth = test[:, :CONTEXT], test[:, CONTEXT:]
horizon = truth.shape[1]
forecasts = {name: forecast(model, context, horizon) for name, model in models.items()}
forecasts["last frame, repeated"] = np.repeat(context[:, -1:], horizon, axis=1)

for name, frames in forecasts.items():
    error = np.square(frames - truth).sum(axis=(2, 3, 4)).mean(axis=0)
    print(f"{name:21} squared error of a frame: first {error[0]:5.1f}, mean {error.mean():5.1f}")

"""
On two processor cores this gave a mean of 200 for ConvLSTM2D, of 163 for MIM and of 271 for the
last frame. It is one run of each, and MIM has more than twice the parameters.

The first predicted frame and every third after it:
"""

rows = {"truth": truth, **forecasts}
figure, axes = plt.subplots(len(rows), len(range(0, horizon, 3)), figsize=(6, 1.3 * len(rows)))
for row, (name, frames) in zip(axes, rows.items(), strict=True):
    row[0].set_ylabel(name.replace(", ", ",\n"), rotation=0, ha="right", va="center")
    for axis, frame in zip(row, frames[0, ::3, ..., 0], strict=True):
        axis.imshow(frame, cmap="gray", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
plt.tight_layout()
plt.show()

"""
## Going on

The predictions are blurred, because these are small networks after a minute of training on a
few hundred sequences. `mim_tf` has the whole networks of the paper, with more layers, scheduled
sampling and a loop that does not begin anew at each predicted frame. Its trained weights show
what a longer training brings:

```python
model = mim_tf.load_model("moving-mnist")
future = mim_tf.predict(model, context, horizon=30)
```
"""
