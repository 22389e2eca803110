"""Settings of Keras that hold for all models of a process, as far as networks follow them."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import ops

from mim_tf.config import ModelConfig
from mim_tf.config.stored import ATTRIBUTE, to_json
from mim_tf.errors import MimError
from mim_tf.models.forecast import Forecaster, checked_context
from mim_tf.models.precision import with_chosen_precision
from mim_tf.models.registry import build_step
from mim_tf.models.rollout import check_frames, frames_and_flags, roll_out
from mim_tf.models.size import check_prediction
from mim_tf.runtime.backend import check_backend

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "float64")
"""Policies for the types of weights and of what is computed."""


def check_settings(policy: keras.DTypePolicy) -> None:
    """Raises `MimError` for a backend, data format or policy that no network can be built with."""
    check_backend(keras.backend.backend())
    if keras.config.image_data_format() != "channels_last":
        raise MimError(
            "Frames are [B, T, H, W, C], so Keras' image_data_format must be channels_last; "
            f"received {keras.config.image_data_format()}. Call "
            'keras.config.set_image_data_format("channels_last") before the model is built, or '
            "mend ~/.keras/keras.json."
        )
    if policy.name not in POLICIES:
        raise MimError(
            f"The policy must be {', '.join(POLICIES[:-1])} or {POLICIES[-1]}, received "
            f"{policy.name}. Call keras.config.set_dtype_policy before the model is built."
        )
    if policy.name == "float64" and not _has_float64():
        raise MimError("The policy float64 needs JAX_ENABLE_X64=1 with JAX; received without it.")


def _has_float64():
    if keras.backend.backend() != "jax":
        return True
    import jax

    return jax.config.jax_enable_x64


@contextlib.contextmanager
def under(policy: keras.DTypePolicy) -> Iterator[None]:
    """Layers made meanwhile have this policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


# MERGED: Whether arrays are what `fit` and `evaluate` of a network can use.


_USUAL = "model.fit(frames, frames[:, 1:])"
_LARGEST = np.finfo(np.float32).max


def first_batch(x, y=None):
    """(x, y) of a first batch: of a `tf.data` set or a `PyDataset`, or what is given.

    Generators are given back as they are: they would lose what is taken from them.
    """
    batch = None
    if isinstance(x, keras.utils.PyDataset):
        batch = x[0] if x.num_batches != 0 else None
    elif hasattr(x, "element_spec") and hasattr(x, "as_numpy_iterator"):  # of tf.data
        batch = next(x.take(1).as_numpy_iterator(), None)
    if batch is None:
        return x, y
    return (*batch, None)[:2] if isinstance(batch, tuple | list) else (batch, None)


def check_training_arrays(x, y=None, clipped: bool = True) -> None:
    """Looks at values and at the shape of targets; `check_frames` looks at that of frames.

    Args:
        x: frames `[B, T, H, W, C]`, or a dict of `frames` and `flags`; anything else is not
            looked at.
        y: targets `[B, T-1, H, W, C]`.
        clipped: whether values of the model's scale end at 0 and 1.

    Raises:
        MimError: if values are outside [0, 1] where they are clipped, frames are not finite, or
            targets are missing or not frames 2..T. Targets may be NaN, where they are missing.
    """
    frames, y = _array(x.get("frames") if isinstance(x, dict) else x), _array(y)
    if not isinstance(frames, np.ndarray):
        return
    if y is None:
        raise MimError(f"Targets must be frames 2..T, received none: {_USUAL}.")
    _check_values("frames", frames, False, clipped)
    if not isinstance(y, np.ndarray) or frames.ndim != 5:  # which the model refuses
        return
    expected = (len(frames), frames.shape[1] - 1, *frames.shape[2:])
    if y.shape != expected:
        raise MimError(
            f"Targets must be frames 2..T, {list(expected)}, received {list(y.shape)}: {_USUAL}."
        )
    _check_values("targets", y, True, clipped)
    if np.array_equal(y, frames[:, :-1]) and not np.array_equal(y, frames[:, 1:]):
        raise MimError(
            "Targets must be frames 2..T, received frames 1..T-1, which the network is given: "
            f"{_USUAL}."
        )


def _array(values):
    return keras.ops.convert_to_numpy(values) if keras.ops.is_tensor(values) else values


def _check_values(name, values, may_miss, clipped):
    smallest, largest = (np.fmin, np.fmax) if may_miss else (np.minimum, np.maximum)
    low, high = (f.reduce(values, axis=None) if values.size else 0 for f in (smallest, largest))
    if may_miss and np.isnan(low):  # all of them
        low = high = 0
    least, most = (0, 1) if clipped else (-_LARGEST, _LARGEST)
    if "float" in values.dtype.name and least <= low and high <= most:
        return
    received = f"received {values.dtype} in [{low}, {high}]"
    if clipped:
        raise MimError(
            f"{name} must be float, finite and in [0, 1], {received}. Divide levels of 0 to 255 "
            "by 255."
        )
    raise MimError(f"{name} must be float and finite, {received}. Values that are missing are 0.")


# MERGED: The trainable model: a network's step and the loop over time.


@keras.saving.register_keras_serializable("mim_tf")
class VideoPredictor(keras.Model):
    """A recurrent network that predicts every next frame of a sequence.

    Args:
        config: what to build; a precision of auto becomes the faster of the two here. Initial
            weights follow `keras.utils.set_random_seed`.
        rematerialise: train in less memory and more time, with the same results, see `roll_out`.
        **kwargs: as for every Keras model. `dtype`, by default `keras.config.dtype_policy()`, may
            be one of `POLICIES`. With a mixed one the cells compute in half precision; weights,
            what is kept from step to step and predictions are float32.

    Call arguments:
        inputs: frames `[B, T, H, W, C]`, float32 on the scale of `config`, with
            `T > input_length`; or a dict of `frames` and `flags` `[B, S]`, for the last S time
            steps: 1 where the network is given the true frame, 0 where it is given its own
            prediction. Before them it is given true frames. Without flags S is
            `T - input_length - 1`, and it is always given its own.
        training: whether `rematerialise` applies.

    Returns:
        Predictions of frames 2..T, `[B, T-1, H, W, C]`, not clipped; the last
        `T - input_length` of them are the forecast.
    """

    def __init__(self, config: ModelConfig, rematerialise: bool = False, **kwargs):
        super().__init__(**kwargs)
        check_settings(self.dtype_policy)
        check_prediction(config)
        self.autocast = False  # frames stay as precise as they are
        self.config = with_chosen_precision(config)
        self.rematerialise = rematerialise
        with under(self.dtype_policy):
            self.step = build_step(self.config)
        forecaster = Forecaster(self.step, jit_compile=use_xla(), dtype=self.variable_dtype)
        # Not the forecaster, whose weights are those of `step`: Keras would count them twice.
        self.forecast_batch = forecaster.forecast
        self.jit_compile = use_xla()
        self.built = True

    def forecast(self, context, horizon: int | None = None, batch_size: int = 8) -> np.ndarray:
        """Predicts the frames that follow `context`.

        Frames are on the scale of the model. Where that stands for physical values, give
        `model.config.scale.to_unit(values)`, and `model.config.scale.to_physical(forecast)` gives
        them back.

        Args:
            context: `[B, T, H, W, C]`, any T >= 1; float on the scale of the model, in [0, 1]
                where that is clipped, and then also uint8.
            horizon: frames to predict, >= 1; by default those of the configuration.
            batch_size: sequences at a time.

        Returns:
            `[B, horizon, H, W, C]`, float32, or float64 with that policy, on the scale of the
            model, not clipped.

        Raises:
            MimError: if `context` does not fit the model, is not finite, leaves [0, 1] where the
                scale is clipped or is uint8 where it is not, or if so many frames need more memory
                than there is.
        """
        context = checked_context(context, self.config, self.variable_dtype)
        horizon = self.config.horizon if horizon is None else horizon
        if horizon < 1:
            raise MimError(f"horizon must be at least 1, received {horizon}.")
        sequences = min(batch_size, len(context))
        check_prediction(self.config, sequences, context.shape[1] + horizon)
        batches = np.split(context, range(batch_size, len(context), batch_size))
        return np.concatenate([self.forecast_batch(batch, horizon) for batch in batches])

    def compile(self, *args, jit_compile="auto", **kwargs):
        """As Keras' `compile`; "auto" means XLA on JAX only, see `use_xla`."""
        jit_compile = use_xla() if jit_compile == "auto" else jit_compile
        super().compile(*args, jit_compile=jit_compile, **kwargs)

    def compile_from_config(self, config):
        """Compiles as when the model was saved, but for XLA.

        Whether that is worth it depends on the backend, perhaps not the one the file is from.
        """
        config = keras.saving.deserialize_keras_object(config)
        self.compile(**config | {"jit_compile": "auto"})
        self.optimizer.build(self.trainable_variables)

    def fit(self, x=None, y=None, *args, **kwargs):
        """As Keras' `fit`; raises `MimError` for arrays that do not fit the model.

        So it does for the first batch of a `tf.data` set or a `PyDataset`.
        """
        self._check(x, y)
        validation = kwargs.get("validation_data")
        self._check(*validation[:2] if isinstance(validation, tuple | list) else (validation,))
        return super().fit(x, y, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As Keras' `evaluate`; raises `MimError` as `fit` does."""
        if not kwargs.get("_use_cached_eval_dataset"):  # of `fit`, which has looked at it
            self._check(x, y)
        return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        """As Keras' `predict`, for whole sequences; what follows a context is `forecast`'s."""
        self._check(x, has_targets=False)
        return super().predict(x, *args, **kwargs)

    def _check(self, x, y=None, has_targets=True):
        # Before Keras starts: an error while it runs loses the weights on JAX.
        x, y = first_batch(x, y)
        if has_targets:
            check_training_arrays(x, y, self.config.frame_scale.clipped)
        frames, flags = frames_and_flags(x)
        if isinstance(frames, np.ndarray) or ops.is_tensor(frames):
            check_frames(self.config, frames, flags)

    def export(self, *args, **kwargs):
        """Raises `MimError`: what is served has endpoints that Keras does not make."""
        raise MimError(
            "Keras' export makes no forecasts: call mim_tf.serving.write_saved_model(model, "
            "folder, horizon), or mim export."
        )

    def save_weights(self, filepath, overwrite=True, **kwargs):
        """As Keras' `save_weights`; a `.weights.h5` file holds the configuration, too."""
        path = Path(filepath)
        before = path.stat().st_mtime_ns if path.exists() else None
        super().save_weights(filepath, overwrite=overwrite, **kwargs)
        if path.suffix != ".h5" or not path.is_file():
            return
        if overwrite or path.stat().st_mtime_ns != before:  # Keras asks whether to replace a file
            with h5py.File(path, "a") as file:
                file.attrs[ATTRIBUTE] = np.bytes_(to_json(self.config))

    def summary(self, *args, expand_nested=True, **kwargs):
        """As Keras' `summary`, with a row for each cell."""
        super().summary(*args, expand_nested=expand_nested, **kwargs)

    def call(self, inputs, training=False):
        frames, flags = frames_and_flags(inputs)
        check_frames(self.config, frames, flags)
        frames = ops.cast(frames, self.variable_dtype)
        batch, length = ops.shape(frames)[0], ops.shape(frames)[1]
        if flags is None:
            flags = ops.zeros((batch, length - self.config.input_length - 1))
        context = ops.ones((batch, length - 1 - ops.shape(flags)[1]))
        use_truth = ops.concatenate([context, ops.cast(flags, context.dtype)], axis=1)
        return roll_out(self.step, frames, use_truth, self.rematerialise and training)

    def compute_output_spec(self, inputs, training=False):
        # Keras would find it by tracing, with an error of its own around that of `check_frames`.
        frames, flags = frames_and_flags(inputs)
        check_frames(self.config, frames, flags)
        batch, length, *frame = frames.shape
        return keras.KerasTensor((batch, length and length - 1, *frame), self.variable_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "config": dataclasses.asdict(self.config),
            "rematerialise": self.rematerialise,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "config": ModelConfig(**config["config"])})


def use_xla() -> bool:
    """Whether models are compiled by XLA: with JAX always, with TensorFlow never.

    XLA on TensorFlow takes minutes to compile the gradient of the loop and gains little.
    """
    return keras.backend.backend() == "jax"


def build_model(config: ModelConfig | None = None, rematerialise: bool = False) -> VideoPredictor:
    """The model of a configuration, with the initial weights of the 2019 code.

    Args:
        config: by default the paper's Moving MNIST network.
        rematerialise: train in less memory and more time, see `roll_out`.

    Raises:
        MimError: if `config` names no known network, one that cannot follow its settings, or one
            that needs more memory than this machine has.
    """
    return VideoPredictor(config or ModelConfig(), rematerialise)
