"""Training on JAX, without TensorFlow; predictions are part of the conformance sweep."""

import os
import subprocess
import sys
import textwrap

WITHOUT_TENSORFLOW = "import sys; sys.modules['tensorflow'] = None\n"


def run_on_jax(code, *arguments):
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW + textwrap.dedent(code), *map(str, arguments)],
        env=os.environ
        | {
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            # Compiling takes longer than what is compiled.
            "XLA_FLAGS": "--xla_backend_optimization_level=0",
        },
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_jax_without_tensorflow_trains():
    printed = run_on_jax(
        """
        import keras
        import numpy as np
        import mim_tf
        from mim_tf.training.compile import compile_for_training

        keras.utils.set_random_seed(0)
        model = mim_tf.build_model(mim_tf.ModelConfig(
            img_width=8, patch_size=4, num_hidden=(2, 2), input_length=2, total_length=4
        ))
        compile_for_training(model, 1e-2)
        frames = np.random.default_rng(0).random((4, 4, 8, 8, 1), np.float32)
        history = model.fit(frames, frames[:, 1:], batch_size=4, epochs=5, verbose=0)
        print(*history.history["loss_per_sequence"], int(model.sampling.updates))
        """
    )
    *losses, updates = printed.split()
    assert float(losses[-1]) < float(losses[0])
    assert updates == "5"
