"""HKO-7: windows of the rainy days of a split, radar pictures every six minutes.

Lists of days divide the pictures. A window may lack up to two pictures in a row, as in the
benchmark, and pixels that its masks leave out; these values are NaN.
"""

import datetime
import math
import os
import re
import zlib
from pathlib import Path

import numpy as np
from absl import logging

from mim_tf.config import DataConfig
from mim_tf.data.files.arrays import from_levels
from mim_tf.data.files.images import image_header, pooled, pooling_factors, read_image
from mim_tf.data.source import Indices, Recording, WindowSource
from mim_tf.data.split import ALL, SPLITS, one_folder, shared_paths, with_paths
from mim_tf.errors import MimError
from mim_tf.storage.paths import list_folder, opened, read_text
from mim_tf.values.scale import ConvertedScale, LinearScale

PICTURES, MASKS = "radarPNG", "radarPNG_mask"
STEP = datetime.timedelta(minutes=6)
MOST_MISSING = 2
"""Frames in a row that a window may lack."""
DBZ = LinearScale("dBZ", -10, 60)
A, B = 58.53, 1.56  # of Z = A R^B

_PLACE = "%Y/%m/%d/RAD%y%m%d%H%M%S"
_NAME = re.compile(r"RAD\d{12}\.png")
_DAY = re.compile(r"\s*(\d{8})\b")


def rain_of_dbz(dbz: np.ndarray) -> np.ndarray:
    """Return the rain rate in mm/h of reflectivity in dBZ."""
    return (10 ** (np.asarray(dbz) / 10) / A) ** (1 / B)


def dbz_of_rain(rain: np.ndarray) -> np.ndarray:
    """Return reflectivity in dBZ of rain rates in mm/h; minus infinity without rain."""
    with np.errstate(divide="ignore"):
        return 10 * np.log10(A) + 10 * B * np.log10(np.asarray(rain, np.float64))


RAIN = ConvertedScale("mm/h", DBZ, rain_of_dbz, dbz_of_rain)


def read_days(root: Path, split: str) -> list[str]:
    """Return the days of a split, "YYYYMMDD", sorted."""
    days: set[str] = set()
    for each in SPLITS if split == ALL else (split,):
        path = root / f"hko7_rainy_{each}_days.txt"
        for line in read_text(path, "a list of days of HKO-7").split("\n"):
            if match := _DAY.match(line):
                days.add(match[1])
            elif line.strip():
                raise MimError(f"{path}: Expected days such as 20150101, got {line.strip()!r}.")
    return sorted(days)


def read_times(root: Path, days: list[str]) -> list[datetime.datetime]:
    """Return the times of the pictures of `days`, sorted."""
    times = []
    for day in days:
        folder = root / PICTURES / day[:4] / day[4:6] / day[6:]
        for path in list_folder(folder) if os.path.isdir(folder) else []:
            if _NAME.fullmatch(path.name):
                try:
                    times.append(datetime.datetime.strptime(path.name, "RAD%y%m%d%H%M%S.png"))
                except ValueError:
                    raise MimError(f"{path}: Expected RADyymmddHHMMSS.png of a time.") from None
    if not times:
        raise MimError(
            f"{root}: Expected pictures such as {PICTURES}/2015/01/01/RAD150101000000.png of the "
            f"{len(days)} days in the lists, got none. Check the path."
        )
    return sorted(times)


def split_runs(times: list[datetime.datetime]) -> list[list[datetime.datetime | None]]:
    """Divide times into runs six minutes apart, with None for up to two missing in a row."""
    runs: list[list[datetime.datetime | None]] = []
    last = datetime.datetime.min
    for time in times:
        steps, rest = divmod(time - last, STEP)
        if rest or steps > MOST_MISSING + 1:
            runs.append([])
        else:
            runs[-1] += [None] * (steps - 1)
        runs[-1].append(time)
        last = time
    return runs


class RadarRun(Recording):
    """Frames every six minutes, read when asked for; nothing stays in memory.

    `times` has None for missing frames. Without masks every pixel counts. `factors` rows and
    columns of `size` become one value, the mean of what counts.
    """

    step = STEP.total_seconds()

    def __init__(self, root: Path, times: list, has_masks: bool, size: tuple, factors: tuple):
        self.name = f"{times[0]:%Y-%m-%d %H:%M}"
        self.length = len(times)
        self._root, self._times, self._has_masks = root, times, has_masks
        self._size, self._factors = size, factors

    def read(self, positions: Indices) -> np.ndarray:
        frames = np.stack([self._frame(self._times[position]) for position in positions])
        return pooled(frames, self._factors, largest=False)[..., None]

    def _frame(self, time):
        if time is None:
            return np.full(self._size, np.nan, np.float32)
        path = _picture_path(self._root, time)
        picture = read_image(path)
        if picture.shape != (*self._size, 1) or picture.dtype != np.uint8:
            raise MimError(
                f"{path}: Expected a grey picture of 8 bits and {self._size} pixels, got "
                f"{picture.dtype} {picture.shape}. Download it again."
            )
        frame = from_levels(picture[..., 0])
        if self._has_masks:
            mask = self._root / MASKS / f"{time:{_PLACE}}.mask"
            with opened(mask, "a mask of HKO-7") as file:
                inflate = zlib.decompressobj()
                # A small file may inflate to gigabytes; one byte too many shows that it does.
                counts = inflate.decompress(file.read(), math.prod(self._size) + 1)
                if not inflate.eof:
                    raise ValueError(f"it does not have {self._size} values")
                counts = np.frombuffer(counts, np.uint8)
                frame[counts.reshape(self._size) == 0] = np.nan
        return frame


def open_hko7(data: DataConfig, split: str, frame_shape, total_length: int) -> WindowSource:
    """Open windows of the rainy days of a split; thresholds are rain rates in mm/h.

    One folder holds `radarPNG`, `radarPNG_mask` and the lists of days,
    `hko7_rainy_train_days.txt`, `..._valid_days.txt` and `..._test_days.txt`. Without the folder
    of masks every pixel counts. With `resize`, H and W of `frame_shape` are a whole fraction of
    the data's.
    """
    root = one_folder(shared_paths(data, split))
    has_masks = os.path.isdir(root / MASKS)
    if not has_masks:
        logging.warning("%s: there is no folder %s, so every pixel counts.", root, MASKS)
    times = read_times(root, read_days(root, split))
    size = image_header(_picture_path(root, times[0]))[:2]
    wanted = frame_shape[:2] if data.resize else size
    factors = pooling_factors(str(root), size, wanted)
    return WindowSource(
        [RadarRun(root, run, has_masks, size, factors) for run in split_runs(times)],
        (*wanted, 1),
        total_length,
        data.window_stride,
        data.frame_interval,
        description={
            "source": "HKO-7",
            "paths": [str(root)],
            "frames": len(times),
            "masks": has_masks,
        },
        scale=DBZ,
        converted=(RAIN,),
        thresholds=data.event_thresholds,
        threshold_scale=RAIN,
        has_missing=True,
    )


@with_paths
def shape_of_hko7(paths: list[Path], data: DataConfig) -> tuple[int, int, int]:
    """Return (H, W, 1) of the frames, from the header of one picture."""
    root = one_folder(paths)
    time, *_ = read_times(root, read_days(root, ALL))
    return (*image_header(_picture_path(root, time))[:2], 1)


def _picture_path(root, time):
    return root / PICTURES / f"{time:{_PLACE}}.png"
