"""Windows of half hours without a gap, and which of them are for testing."""

import numpy as np

from mim_tf.data.source import Indices
from mim_tf.data.windows import WindowSource
from mim_tf.errors import MimError


class NewestFirst(WindowSource):
    """Windows whose last frame comes first, as in the 2019 code."""

    def sequences(self, indices: Indices) -> np.ndarray:
        return np.ascontiguousarray(super().sequences(indices)[:, ::-1])


def windows(times: list[np.ndarray], total_length: int) -> np.ndarray:
    """Every run of `total_length` consecutive half hours inside one file, oldest first.

    Args:
        times: of each file, increasing whole numbers of half hours.
        total_length: half hours of a window.

    Returns:
        (file, first slot) of each, int64 `[N, 2]`.
    """
    starts = []
    for number, slots in enumerate(times):
        last = slots[total_length - 1 :]
        runs = np.flatnonzero(last - slots[: len(last)] == total_length - 1)
        starts.append(np.stack([np.full_like(runs, number), runs], axis=1))
    return np.concatenate(starts)


def split_windows(
    starts: np.ndarray, total_length: int, rule: str, test_windows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Windows to train on and to test on; the last `test_windows` are for testing.

    Args:
        starts: of `windows`.
        total_length: half hours of a window.
        rule: "reference": all others are for training; "clean": those that share no half hour
            with a test window.
        test_windows: their number.

    Raises `MimError` where no window is left to train on.
    """
    train, test = np.split(starts, [max(len(starts) - test_windows, 0)])
    if rule == "clean" and len(train):
        number, first = test[0]
        train = train[(train[:, 0] < number) | (train[:, 1] + total_length <= first)]
    if not len(train):
        raise MimError(
            f"Expected more windows of {total_length} half hours without a gap than the "
            f"{test_windows} to test on, received {len(starts)}, of which none is left to train "
            f"on by the {rule} rule. Lower total_length, or add files: TaxiBJ has four."
        )
    return train, test
