"""Loss, optimizer and metric of the 2019 code, put together."""

import keras

from mim_tf.training.adam import AdamInsideRoot
from mim_tf.training.loss import HalfSquaredError, half_squared_error


def compile_for_training(model, learning_rate=1e-3):
    """Compiles `model` with the loss, the optimizer and the moving average of the 2019 code.

    Args:
        model: a `VideoPredictor`.
        learning_rate: a number or a Keras schedule.

    The metric `loss_per_sequence` is the loss the 2019 code prints. The optimizer is built here:
    built later, Keras would trace the training step twice.
    """
    model.compile(
        optimizer=AdamInsideRoot(learning_rate, use_ema=True, ema_momentum=0.9995),
        loss=HalfSquaredError(),
        metrics=[keras.metrics.MeanMetricWrapper(half_squared_error, name="loss_per_sequence")],
    )
    model.optimizer.build(model.trainable_variables)
