import keras

from mim_tf.data import feed, pipeline


def test_tensorflow_is_fed_by_the_pipeline():
    """Other backends are not: see test_backends.py."""
    assert keras.backend.backend() == "tensorflow"
    for name in feed.__all__:
        assert getattr(feed, name) is getattr(pipeline, name)
