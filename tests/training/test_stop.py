"""Signals during a training, and after it."""

import os
import signal
import threading

import pytest

from mim_tf.config import TrainingConfig
from mim_tf.training.callbacks import StopInOrder
from mim_tf.training.devices import OneDevice


@pytest.fixture
def stop():
    return StopInOrder(TrainingConfig(max_iterations=9), 0, OneDevice())


@pytest.mark.parametrize("received", [False, True])
def test_handlers_are_as_before_after_a_training_that_failed(stop, received):
    def fail():
        with stop.listening():
            assert signal.getsignal(signal.SIGINT) != before
            if received:
                os.kill(os.getpid(), signal.SIGINT)
                assert stop.received == "SIGINT"
            raise ValueError("of a training")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="of a training"):
        fail()
    assert signal.getsignal(signal.SIGINT) == before


def test_a_thread_leaves_signals_alone(stop):
    entered = []

    def work():
        with stop.listening():
            entered.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [before]
