"""The same steps on JAX, without TensorFlow."""

import numpy as np
from small_models import random_frames, small_model, step, zero_states
from test_backends import run_on_jax

from mim_tf.weights import save_weights

NETWORKS = ["mim", "mim_star", "predrnn", "predrnn_pp", "convlstm_net"]


def test_three_steps_give_the_states_they_give_on_tensorflow(tmp_path, monkeypatch):
    frames = random_frames(2, 3)
    np.save(tmp_path / "frames.npy", frames)
    models = {name: small_model(model_name=name) for name in NETWORKS}
    for name, model in models.items():
        save_weights(model, tmp_path / f"{name}.weights.h5")
    # Otherwise most of the time goes into compiling the initial values, which the files replace.
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")
    run_on_jax(
        """
        import numpy as np
        import mim_tf

        folder, *names = sys.argv[1:]
        frames = np.load(f"{folder}/frames.npy")
        for name in names:
            step = mim_tf.load_model(f"{folder}/{name}.weights.h5").step
            states = [np.zeros((2, *state.shape[1:]), "float32") for state in step.inputs[1:]]
            for t in range(3):
                prediction, *states = map(np.asarray, step([frames[:, t], *states]))
            np.savez(f"{folder}/{name}.npz", prediction, *states)
        """,
        tmp_path,
        *NETWORKS,
    )
    for name, model in models.items():
        states = zero_states(model, 2)
        for t in range(3):
            prediction, states = step(model, frames[:, t], states)
        with np.load(tmp_path / f"{name}.npz") as on_jax:
            for got, expected in zip(on_jax.values(), [prediction, *states.values()], strict=True):
                np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4, err_msg=name)
