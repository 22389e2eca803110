import keras

from mim_tf.data.batches import by_backend, with_tensorflow


def test_tensorflow_is_fed_by_the_with_tensorflow():
    """Other backends are not: see test_backends.py."""
    assert keras.backend.backend() == "tensorflow"
    for name in by_backend.__all__:
        assert getattr(by_backend, name) is getattr(with_tensorflow, name)
