"""The Keras model around a network: sequences, forecasts of a context, and checks of arrays."""

import contextlib
import dataclasses
import threading
from collections.abc import Iterable
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import ops

from mim_tf.config import ModelConfig
from mim_tf.config.stored import ATTRIBUTE, check_architecture, from_json, to_json
from mim_tf.errors import MimError
from mim_tf.models.machine import check_prediction, check_settings, faster_precision, under
from mim_tf.models.registry import build_step
from mim_tf.models.rollout import roll_ahead, roll_out
from mim_tf.runtime.keras_private import layers_inside, uses_cached_data

_USAGE = "Call model.fit(frames, frames[:, 1:])."
_TO_UNIT = "Convert with model.config.scale.to_unit(values), and back with to_physical."
_DIVIDE = "Divide levels of 0 to 255 by 255; give physical values as model.config.scale.to_unit(v)."

# Models are always compiled with XLA on JAX. They are never on TensorFlow, where XLA compiles the
# gradient of the loop for minutes and gains little.
_on_jax = keras.backend.backend() == "jax"

# With JAX, Keras donates the memory of the weights while it predicts, and a second thread would
# find no weights. With TensorFlow, threads may predict at the same time.
_alone = threading.Lock() if _on_jax else contextlib.nullcontext()


@keras.saving.register_keras_serializable("mim_tf")
class VideoPredictor(keras.Model):
    """A recurrent network that predicts every next frame of a sequence.

    Args:
        config: configuration of the network; precision "auto" becomes the faster one of this
            machine. Initial weights follow `keras.utils.set_random_seed`.
        rematerialise: train in less memory and more time, with the same results; see `roll_out`.
        **kwargs: arguments of every Keras model. `dtype` may be one of `POLICIES` and defaults to
            `keras.config.dtype_policy()`. With a mixed policy the cells compute in half precision;
            weights, states and predictions are float32.

    Call arguments:
        inputs: frames `[B, T, H, W, C]` on the scale of `config`, with `T > input_length`; or a
            dict of `frames` and `flags`. Flags `[B, S]` are for the last S time steps: 1 gives the
            network the true frame, 0 its own prediction. Earlier time steps get true frames.
            Without flags, all time steps after the context get the network's own predictions.
        training: whether `rematerialise` applies.

    Returns:
        Predictions of frames 2..T, `[B, T-1, H, W, C]`, not clipped; the last
        `T - input_length` of them are the forecast.
    """

    def __init__(self, config: ModelConfig, rematerialise: bool = False, **kwargs):
        super().__init__(**kwargs)
        check_settings(self.dtype_policy)
        check_prediction(config)  # before weights are allocated
        self.autocast = False  # frames keep their precision
        if config.precision == "auto":
            config = dataclasses.replace(config, precision=faster_precision())
        self.config = config
        self.rematerialise = rematerialise
        with under(self.dtype_policy):
            self.step = build_step(self.config)
        self.jit_compile = _on_jax
        forecaster = Forecaster(self.step, dtype=self.variable_dtype)
        # A bound method instead of the forecaster: Keras would track the forecaster as a layer and
        # count its weights, which are those of `step`, twice.
        self.forecast_batch = forecaster.forecast
        self.built = True

    def forecast(self, context, horizon: int | None = None, batch_size: int = 8) -> np.ndarray:
        """Predict the frames that follow `context`.

        All frames are on the scale of the model. For physical values, convert the context with
        `model.config.scale.to_unit` and the forecast with `model.config.scale.to_physical`.

        Args:
            context: `[B, T, H, W, C]`, any T >= 1; float, or uint8 if the scale is clipped to
                [0, 1].
            horizon: frames to predict, >= 1; default: the horizon of the configuration.
            batch_size: sequences at a time.

        Returns:
            `[B, horizon, H, W, C]`, float32 (float64 with that policy), not clipped.

        Raises:
            MimError: if `context` does not fit the model, see `checked_context`, or if the
                frames exceed the memory of this machine.
        """
        context = checked_context(context, self.config, self.variable_dtype)
        horizon = self.config.horizon if horizon is None else horizon
        for name, value in {"horizon": horizon, "batch_size": batch_size}.items():
            if not hasattr(value, "__index__") or value < 1:
                raise MimError(f"Expected a whole {name} of at least 1, got {value!r}.")
        sequences = min(batch_size, len(context))
        check_prediction(self.config, sequences, context.shape[1] + horizon, self.step)
        batches = np.split(context, range(batch_size, len(context), batch_size))
        return np.concatenate([self.forecast_batch(batch, horizon) for batch in batches])

    @property
    def takes_any_size(self) -> bool:
        """Whether nothing in the network depends on the size of frames, as layer norm does.

        Weights by position, of peepholes and of OpenSTL's norms, are those with three axes.
        """
        by_position = any(len(each.shape) == 3 for each in self.step.weights)
        return not self.config.layer_norm and not by_position

    def at_size(self, height: int, width: int) -> "VideoPredictor":
        """Return the network, with its weights, for frames of another size; itself if it is equal.

        Raises `MimError` if it does not take any size.
        """
        config = self.config
        if (height, width) == config.frame_shape[:2]:
            return self
        if not self.takes_any_size:
            raise MimError(
                f"Expected frames of (height, width) {config.frame_shape[:2]}, got "
                f"{(height, width)}. Networks trained with --peephole=channel and "
                "--layer_norm=False take frames of any size."
            )
        config = dataclasses.replace(config, img_height=height, img_width=width, frame_grid=None)
        other = VideoPredictor(config, self.rematerialise, dtype=self.dtype_policy)
        other.step.set_weights(self.step.get_weights())
        freeze(other, [layer.trainable for layer in layers_inside(self)])
        return other

    def compile(self, *args, jit_compile="auto", **kwargs):
        """Compile as Keras does; jit_compile="auto" chooses XLA on JAX only."""
        jit_compile = _on_jax if jit_compile == "auto" else jit_compile
        super().compile(*args, jit_compile=jit_compile, **kwargs)

    def compile_from_config(self, config):
        """Compile as when the model was saved, except for XLA, which depends on the backend."""
        config = keras.saving.deserialize_keras_object(config)
        self.compile(**config | {"jit_compile": "auto"})
        self.optimizer.build(self.trainable_variables)

    def fit(self, x=None, y=None, *args, check_arrays=True, **kwargs):
        """Train as Keras' `fit`; raise `MimError` for arrays that do not fit the model.

        Arrays are checked completely, `tf.data` sets and `PyDataset` by their first batch.
        `check_arrays=False` saves reading that batch twice.
        """
        if _on_jax or self.rematerialise:
            self._check_state()
        if kwargs.get("class_weight"):
            raise MimError("class_weight is for classes. Give each sequence a sample_weight, [B].")
        if check_arrays:
            self._check(x, y)
            validation = kwargs.get("validation_data")
            self._check(*validation[:2] if isinstance(validation, tuple | list) else (validation,))
        return super().fit(x, y, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """Evaluate as Keras' `evaluate`; raise `MimError` as `fit` does."""
        if not uses_cached_data(kwargs):
            self._check(x, y)
        return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        """Predict whole sequences as Keras' `predict`; see `forecast` for the frames after them."""
        self._check(x, has_targets=False)
        return super().predict(x, *args, **kwargs)

    def _check(self, x, y=None, has_targets=True):
        # Before Keras starts, because an error inside Keras' loop loses the weights on JAX.
        x, y = first_batch(x, y)
        if has_targets:
            check_training_arrays(x, y, self.config.frame_scale.clipped)
        frames, flags = frames_and_flags(x)
        if isinstance(frames, np.ndarray) or ops.is_tensor(frames):
            check_frames(self.config, frames, flags)

    def _check_state(self):
        # The loop would drop what a layer assigns, such as the mean of batch norm, or the next
        # seed of dropout, in silence.
        assigned = [
            variable.path
            for layer in layers_inside(self.step)
            if layer.trainable and not layers_inside(layer)
            for variable in layer.variables
            if not variable.trainable
        ]
        if assigned:
            raise MimError(
                "Expected layers that assign no variables on JAX or with rematerialise, got "
                f"{assigned[0]}. Train on TensorFlow without --rematerialise."
            )

    def export(self, *args, **kwargs):
        """Raise `MimError`: Keras' export contains no forecast."""
        raise MimError("Keras' export has no forecast. Call mim_tf.serving.write_saved_model.")

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """Load as Keras' `load_weights`; weights of another architecture raise `MimError`.

        Networks that compute something else can have weights of the same shapes. `.keras` files
        raise it too.
        """
        path = Path(filepath)
        if path.suffix == ".keras":  # Keras would not compare its configuration with this one
            raise MimError(
                f"{path}: expected .weights.h5. Call mim_tf.load_model for .keras files."
            )
        if path.suffix == ".h5" and path.is_file() and not skip_mismatch:
            with h5py.File(path) as file:
                text = file.attrs.get(ATTRIBUTE)  # not in files of Keras
            if text is not None:
                check_architecture(path, from_json(path, text), self.config)
        super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)

    def save_weights(self, filepath, overwrite=True, **kwargs):
        """Save as Keras' `save_weights`; a `.weights.h5` file also gets the configuration."""
        path = Path(filepath)
        before = path.stat().st_mtime_ns if path.exists() else None
        super().save_weights(filepath, overwrite=overwrite, **kwargs)
        # With overwrite=False, Keras asks the user, who may keep the old file.
        written = path.is_file() and (overwrite or path.stat().st_mtime_ns != before)
        if written and path.suffix == ".h5":
            with h5py.File(path, "a") as file:
                file.attrs[ATTRIBUTE] = np.bytes_(to_json(self.config))

    def summary(self, *args, expand_nested=True, **kwargs):
        """Print Keras' `summary` with a row for each cell."""
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
        # Without this method Keras traces `call`, and wraps the error of `check_frames`.
        frames, flags = frames_and_flags(inputs)
        check_frames(self.config, frames, flags)
        batch, length, *frame = frames.shape
        return keras.KerasTensor((batch, length and length - 1, *frame), self.variable_dtype)

    def get_config(self):
        own = {"config": dataclasses.asdict(self.config), "rematerialise": self.rematerialise}
        trainable = [layer.trainable for layer in layers_inside(self)]
        return super().get_config() | own | {"trainable_layers": trainable}

    @classmethod
    def from_config(cls, config):
        config = {**config, "config": ModelConfig(**config["config"])}
        trainable = config.pop("trainable_layers", ())  # not in files of earlier versions
        model = cls(**config)
        freeze(model, trainable)
        return model


def freeze(model: VideoPredictor, trainable: Iterable[bool]) -> None:
    """Set for each layer inside a model whether it is trainable; none is changed without values."""
    # Keras also sets the layers inside each layer, which follow it.
    for layer, value in zip(layers_inside(model), trainable, strict=False):
        layer.trainable = value


class Forecaster(keras.Model):
    """`roll_ahead` as a compiled Keras model.

    Call arguments:
        inputs: a dict of `context` and `horizon`. Keras passes only arrays, and XLA needs the
            number of frames in a shape: `horizon` is `[B, N]` for N frames, with any values.
    """

    def __init__(self, step, **kwargs):
        super().__init__(**kwargs)
        self.step = step
        self.jit_compile = _on_jax
        self.built = True

    def call(self, inputs):
        return roll_ahead(self.step, inputs["context"], ops.shape(inputs["horizon"])[1])

    def forecast(self, context: np.ndarray, horizon: int) -> np.ndarray:
        frames = np.zeros((len(context), horizon), np.float32)
        # Keras' `predict` would set up a data set in each call, which takes 0.2 s.
        with _alone:
            return self.predict_on_batch({"context": context, "horizon": frames})


def build_model(config: ModelConfig | None = None, rematerialise: bool = False) -> VideoPredictor:
    """Build the model of a configuration, with the initial weights of the 2019 code.

    Args:
        config: configuration; default: the paper's Moving MNIST network.
        rematerialise: train in less memory and more time, see `roll_out`.

    Raises:
        MimError: for an unknown network, settings that the network does not support, and a
            network that exceeds the memory of this machine.
    """
    return VideoPredictor(config or ModelConfig(), rematerialise)


def predict(model: VideoPredictor, context, horizon: int, batch_size: int = 8) -> np.ndarray:
    """Predict the `horizon` frames that follow `context`, see `VideoPredictor.forecast`.

    Raises `MimError` for a model that is not of this package. Logs a warning for physical values
    instead of frames, on a scale that is not clipped.
    """
    if not isinstance(model, VideoPredictor):
        raise MimError(
            f"Expected a VideoPredictor, from build_model or load_model, got {type(model).__name__}"
            ". mim_tf.evaluate scores models of any kind."
        )
    found, scale = model.forecast(context, horizon, batch_size), model.config.frame_scale
    if not scale.clipped:
        values = scale.to_physical(np.asarray(context))
        scale.warn_of_other_values(values, "scale.to_physical(context)")
    return found


def frames_and_flags(inputs):
    """Return (frames, flags) of the inputs of a `VideoPredictor`; flags may be None."""
    return (inputs["frames"], inputs.get("flags")) if isinstance(inputs, dict) else (inputs, None)


def check_frames(config: ModelConfig, frames, flags=None) -> None:
    """Raise `MimError` for frames whose shape or dtype does not fit the model.

    `frames` is an array or a tensor, possibly of unknown sizes, whose values are not read.
    """
    shortest = config.input_length + 1 if flags is None else (flags.shape[1] or 0) + 2
    length = frames.shape[1] if len(frames.shape) == 5 else 0
    fits = tuple(frames.shape[2:]) == config.frame_shape
    if not fits or (length is not None and length < shortest):
        hint = " To predict the frames after a context, call mim_tf.predict." if fits else ""
        hint = hint or _order_hint(config, frames.shape)
        raise MimError(
            f"Expected frames {_shape(config)} with T at least {shortest}, one more than the "
            f"context, got {tuple(frames.shape)}.{hint}"
        )
    _check_float("frames", frames, config.frame_scale.clipped)


def checked_context(context, config: ModelConfig, dtype: str = "float32") -> np.ndarray:
    """Return `context` as `dtype`, with uint8 divided by 255.

    Another shape than the model's, values that are not finite or leave the model's scale, and uint8
    if that scale is not clipped to [0, 1], raise `MimError`.
    """
    _check_mask("context", context)
    context, clipped = np.asarray(context), config.frame_scale.clipped
    if context.ndim != 5 or context.shape[2:] != config.frame_shape or not context.size:
        raise MimError(
            f"Expected a context {_shape(config)}, B and T above 0, got {context.shape}."
            f"{_order_hint(config, context.shape)}"
        )
    if context.dtype == np.uint8:
        if clipped:
            return context.astype(dtype) / 255
        _check_float("context", context, clipped)
    context = context.astype(dtype)
    _check_values("context", context, clipped)
    return context


def check_training_arrays(x, y=None, clipped: bool = True) -> None:
    """Check values of frames and targets, and the targets' shape; see also `check_frames`.

    `x` are frames `[B, T, H, W, C]`, or a dict of `frames` and `flags`; other types are ignored.
    `y` are targets `[B, T-1, H, W, C]`; NaN means missing.

    Raises:
        MimError: for values that are not finite or leave [0, 1] on a `clipped` scale, and for
            targets that are not frames 2..T.
    """
    frames, y = _array(x.get("frames") if isinstance(x, dict) else x), _array(y)
    if not isinstance(frames, np.ndarray):
        return
    if y is None:
        raise MimError(f"Expected frames 2..T as targets, got none. {_USAGE}")
    _check_values("frames", frames, clipped)
    if not isinstance(y, np.ndarray) or frames.ndim != 5:  # the model raises for these
        return
    expected = (len(frames), frames.shape[1] - 1, *frames.shape[2:])
    if y.shape != expected:
        raise MimError(
            f"Expected frames 2..T as targets, {list(expected)}, got {list(y.shape)}. {_USAGE}"
        )
    _check_values("targets", y, clipped, may_be_nan=True)
    # A common mistake has the right shape: the network would learn to copy its input.
    if np.array_equal(y, frames[:, :-1]) and not np.array_equal(y, frames[:, 1:]):
        raise MimError(f"Expected frames 2..T as targets, got frames 1..T-1. {_USAGE}")


def first_batch(x, y=None):
    """Return (x, y) of the first batch of a `tf.data` set or `PyDataset`; other data unchanged.

    Generators are returned unchanged, because a batch taken from a generator would be lost.
    """
    batch = None
    if isinstance(x, keras.utils.PyDataset):
        batch = x[0] if x.num_batches != 0 else None
    elif hasattr(x, "element_spec") and hasattr(x, "as_numpy_iterator"):  # tf.data
        batch = next(x.take(1).as_numpy_iterator(), None)
    if batch is None:
        return x, y
    return (*batch, None)[:2] if isinstance(batch, tuple | list) else (batch, None)


def _shape(config):
    return f"[B, T, {', '.join(map(str, config.frame_shape))}]"


def _order_hint(config, shape):
    height, width, channels = config.frame_shape
    if tuple(shape[2:]) != (channels, height, width):
        return ""
    return " The channels are before the rows: pass np.moveaxis(frames, 2, -1)."


def _array(values):
    return keras.ops.convert_to_numpy(values) if keras.ops.is_tensor(values) else values


def _check_mask(name, values):
    if np.ma.is_masked(values):  # as netCDF4 reads; its hidden values may be any
        fill = "np.nan" if name == "targets" else "0"
        raise MimError(f"Expected {name} without a mask, got masked values: use .filled({fill}).")


def _check_float(name, values, clipped):
    _check_mask(name, values)
    if "float" not in (dtype := keras.backend.standardize_dtype(values.dtype)):
        hint = _DIVIDE if clipped else _TO_UNIT
        raise MimError(f"Expected float {name} on the scale of the model, got {dtype}. {hint}")


def _check_values(name, values, clipped, may_be_nan=False):
    _check_float(name, values, clipped)
    # fmin and fmax ignore NaN; minimum and maximum return it, and NaN fails the comparison.
    smallest, largest = (np.fmin, np.fmax) if may_be_nan else (np.minimum, np.maximum)
    low, high = (each.reduce(values, axis=None, initial=0) for each in (smallest, largest))
    least, most = (0, 1) if clipped else (-np.finfo(np.float32).max, np.finfo(np.float32).max)
    if not (least <= low and high <= most):
        bounds = "in [0, 1]" if clipped else "finite"
        hint = _DIVIDE if clipped and not np.isnan(low) else "Replace NaN by 0."
        raise MimError(f"Expected {name} {bounds}, got values in [{low}, {high}]. {hint}")
