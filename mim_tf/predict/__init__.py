"""`mim_tf.predict(model, context, horizon)`, and `python -m mim_tf.predict` in `__main__`.

The name is both a function and this package. `mim_tf` imports the package before it binds the
name to the function, so that no later import of the package can bind it anew. The work of the
command is in `mim_tf.prediction`, because attributes of this package are hidden by the function.
"""

from mim_tf.models.predict import predict

__all__ = ["predict"]
