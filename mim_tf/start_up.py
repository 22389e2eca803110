"""A quicker first step."""

import keras


def skip_graph_rewriting() -> None:
    """Switches off TensorFlow's rewriting of graphs, in this process; nothing on other backends.

    It takes seconds before the first step of a network this size, and the steps after it are no
    faster: `benchmarks/README.md` has both figures.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
