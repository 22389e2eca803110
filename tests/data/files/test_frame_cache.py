import threading
import tracemalloc

import numpy as np
import pytest

from mim_tf.data.files.videos import LazyValue, Pictures
from mim_tf.errors import MimError


def test_a_value_is_made_when_first_asked_for_and_once():
    made = []
    lazy = LazyValue(lambda: made.append(1) or "value")
    assert not made
    assert (lazy(), lazy()) == ("value", "value")
    assert len(made) == 1


def test_none_is_a_value():
    made = []
    lazy = LazyValue(lambda: made.append(1))
    assert lazy() is lazy() is None
    assert len(made) == 1


def test_threads_wait_for_the_one_that_makes_it():
    begun, may_end = threading.Event(), threading.Event()
    made, got = [], []

    def make():
        begun.set()
        assert may_end.wait(10)
        made.append(1)
        return len(made)

    lazy = LazyValue(make)
    threads = [threading.Thread(target=lambda: got.append(lazy())) for _ in range(2)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    assert not got
    may_end.set()
    for thread in threads:
        thread.join()
    assert got == [1, 1]


def test_after_a_failure_it_is_tried_again():
    outcomes = [MimError("damaged"), "value"]

    def make():
        outcome = outcomes.pop(0)
        if isinstance(outcome, MimError):
            raise outcome
        return outcome

    lazy = LazyValue(make)
    with pytest.raises(MimError):
        lazy()
    assert lazy() == "value"


def test_pictures_are_decoded_when_first_read():
    decoded = []

    def decode(path):
        decoded.append(path)
        return np.full((2, 3, 1), path, np.uint8)

    pictures = Pictures("a name", [10, 20, 255], decode)
    assert (pictures.name, pictures.length) == ("a name", 3)
    assert not decoded
    got = pictures.read(np.array([2, 0]))
    assert decoded == [255, 10]
    assert got.dtype == np.float32
    assert got.shape == (2, 2, 3, 1)
    np.testing.assert_allclose(got[:, 0, 0, 0], [1, 10 / 255], rtol=1e-6)
    pictures.read([0, 1, 2])
    assert decoded == [255, 10, 20]


def test_two_threads_decode_two_pictures_at_a_time():
    both = threading.Barrier(2, timeout=10)

    def decode(path):
        both.wait()
        return np.zeros((1, 1, 1), np.uint8)

    pictures = Pictures("a", [0, 1], decode)
    threads = [threading.Thread(target=pictures.read, args=([n],)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not both.broken


def test_memory_is_that_of_the_frames_as_uint8():
    # Each is a small part of a larger picture.
    pictures = Pictures(
        "a", range(20), lambda path: np.ones((400, 400, 3), np.uint8)[100:200, 100:200]
    )
    tracemalloc.start()
    for position in range(20):
        pictures.read([position])
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert 20 * 30_000 <= kept < 22 * 30_000
