"""What TensorBoard shows of a run."""

import time
from pathlib import Path

import numpy as np
from absl import logging
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import image, scalar

_FLUSH_SECONDS = 10


class Events:
    """Writes a file of events; where it cannot be written, that is a warning and no more.

    tensorboardX' own `SummaryWriter` writes in a thread; when that ends, on a full disk, its queue
    fills up and the training waits for ever.

    Args:
        folder: of the run.
        start_iteration: TensorBoard forgets what earlier files hold after it.
    """

    def __init__(self, folder: Path, start_iteration: int):
        self._folder = folder
        self._file = None
        self._flushed = time.monotonic()
        try:
            self._file = EventsWriter(str(folder / "events"))
        except OSError as error:
            self._give_up(error)
        self._write(start_iteration + 1, session_log=SessionLog(status=SessionLog.START))

    def add_scalar(self, name: str, value: float, iteration: int) -> None:
        """A number, a point of a curve."""
        self._write(iteration, summary=scalar(name, value))

    def add_image(self, name: str, picture: np.ndarray, iteration: int) -> None:
        """A picture `[H, W, 3]`, uint8."""
        self._write(iteration, summary=image(name, picture, dataformats="HWC"))

    def flush(self) -> None:
        """Has on disk what was written so far."""
        self._try(lambda file: file.flush())
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Ends the file."""
        self._try(lambda file: file.close())
        self._file = None

    def _write(self, iteration, **content):
        event = Event(step=iteration, wall_time=time.time(), **content)
        self._try(lambda file: file.write_event(event))
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def _try(self, action):
        if self._file is None:
            return
        try:
            action(self._file)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error):
        self._file = None
        logging.warning(
            "TensorBoard will not show the rest of %s: %s. train.csv and scores/ have it.",
            self._folder,
            error,
        )
