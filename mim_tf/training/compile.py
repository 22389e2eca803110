"""Loss, optimizer and metric, put together."""

import keras

from mim_tf.training.adam import AdamInsideRoot
from mim_tf.training.loss import HalfSquaredError, half_squared_error


def compile_for_training(
    model, learning_rate=1e-3, optimizer: keras.optimizers.Optimizer | None = None
) -> None:
    """Compiles `model` with the loss of the 2019 code.

    The metric `loss_per_sequence` is the loss the 2019 code prints.

    Args:
        model: a `VideoPredictor`.
        learning_rate: a number or a Keras schedule, for the optimizer of the 2019 code and its
            moving average of the weights.
        optimizer: used in the place of that one.
    """
    if optimizer is None:
        optimizer = AdamInsideRoot(learning_rate, use_ema=True, ema_momentum=0.9995)
    model.compile(
        optimizer=optimizer,
        loss=HalfSquaredError(),
        metrics=[keras.metrics.MeanMetricWrapper(half_squared_error, name="loss_per_sequence")],
    )
    # Built later, Keras would trace the training step twice.
    model.optimizer.build(model.trainable_variables)
