"""An orderly stop."""

import contextlib
import signal
import threading
from collections.abc import Iterator

from absl import logging
from tqdm import tqdm

from mim_tf.training.on_iteration import OnIteration


class StopInOrder(OnIteration):
    """On Ctrl-C or `kill`, in any process, stops all at the end of the iteration."""

    def __init__(self, config, start_iteration, devices):
        super().__init__(config, start_iteration)
        self.devices = devices
        self.received = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Within it, signals are answered; not in a thread, where Python lets none be."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self.before = {
            number: signal.signal(number, self._receive)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            self._restore()

    def _receive(self, number, frame):
        self.received = signal.Signals(number).name
        tqdm.write(f"{self.received}: stopping at the end of this iteration; again to stop now.")
        self._restore()

    def _restore(self):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def on_iteration(self, iteration, logs):
        received = any(self.devices.gather(self.received is not None))
        if received and iteration < self.config.max_iterations:
            self.model.stop_training = True
            logging.info("Stopped at iteration %d; --resume goes on from here.", iteration)
