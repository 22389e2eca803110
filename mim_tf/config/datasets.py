"""Data sets by name: how each is opened, and which settings it uses.

`DataConfig` checks its fields against these declarations. The code that reads files is imported
when a data set is opened, not before: an opener may be text, "module:function".
"""

import dataclasses
import pkgutil
from collections.abc import Callable
from typing import Any

from mim_tf.errors import MimError
from mim_tf.values.text import listed

FrameShape = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set: how it is opened, and which settings it uses.

    `open` is called with the `DataConfig`, the split, the frame shape and `total_length`, and
    returns the `SequenceSource` of the split. If `scale_kind` is given, its values are physical,
    and it is also called with `scale`: the scale of the weights, or None.

    Attributes:
        name: value of `--dataset`.
        open: the function, or "module:function".
        frame_shape: (H, W, C) of all frames, or a function (or its name) that returns it for a
            `DataConfig`; None where no path is given yet.
        settings: fields of `DataConfig` it uses besides paths. Others are refused.
        thresholds: default thresholds of the scores of events, or a function that returns them
            for a `DataConfig`.
        scale_kind: kind of scale that is fitted by default. Empty: the set has its own scale.
        scale_settings: settings that have to be as in training for frames to have the same scale.
        any_scale: whether weights may be scored on frames of another scale than in training.
        splits: splits that `mim inspect` opens: those that have their own sequences, or "all" of a
            set that one path holds and `open` divides.
        usual_length: frames of a sequence in published experiments; None: the data says.
    """

    name: str
    open: Callable[..., Any] | str
    frame_shape: FrameShape | Callable[..., FrameShape | None] | str
    settings: tuple[str, ...] = ()
    thresholds: tuple[float, ...] | Callable[..., tuple[float, ...]] = ()
    scale_kind: str = ""
    scale_settings: tuple[str, ...] = ()
    any_scale: bool = False
    splits: tuple[str, ...] = ("train", "valid", "test")
    usual_length: int | None = None

    def open_split(self, data, split: str, frame_shape: FrameShape, total_length, scale=None):
        """Return the source of a split; `scale` is passed on only where one is fitted."""
        extra = {"scale": scale} if self.scale_kind else {}
        return _resolved(self.open)(data, split, frame_shape, total_length, **extra)

    def frame_shape_of(self, data) -> FrameShape | None:
        """Return (H, W, C) of the frames, None if it is not known before paths are given."""
        shape = self.frame_shape
        return shape if isinstance(shape, tuple) else _resolved(shape)(data)


_DATA_SETS: dict[str, DataSet] = {}


def register_data_set(data_set: DataSet) -> DataSet:
    """Make a data set available as `--dataset=NAME`; one of the same name is replaced."""
    _DATA_SETS[data_set.name] = data_set
    return data_set


def registered_data_sets() -> dict[str, DataSet]:
    """Return all data sets by name."""
    return dict(_DATA_SETS)


def find_data_set(name: str) -> DataSet:
    """Return the data set of a name, or raise `MimError`."""
    if name not in _DATA_SETS:
        known = listed([*_DATA_SETS, "one that --network_module registers"])
        raise MimError(f"dataset must be {known}, got {name!r}.")
    return _DATA_SETS[name]


def _resolved(function):
    return function if callable(function) else pkgutil.resolve_name(function)


def _built_in(
    name: str, module: str, frame_shape: FrameShape | None = None, splits=("all",), **declared: Any
) -> None:
    """Register a data set of the package, whose functions have its name in a module of data/."""
    functions = f"mim_tf.data.{module}:{{}}_{name}"
    shape = frame_shape or functions.format("shape_of")
    open_set = functions.format("open")
    register_data_set(DataSet(name, open_set, shape, splits=splits, **declared))


_WINDOWS = ("window_stride", "frame_interval", "crop", "wet_share", "turned")
_FRACTIONS = ("valid_fraction", "test_fraction")
_DIVIDED = (*_FRACTIONS, "data_seed")  # by recording or sequence, drawn with the seed

_DIGITS = ("digits", "num_digits", "train_sequences", "valid_sequences", "test_sequences")
_built_in("mnist", "sets.moving_mnist.source", settings=(*_DIGITS, *_DIVIDED))
register_data_set(dataclasses.replace(find_data_set("mnist"), name="mnist_color"))
_built_in(
    "taxibj",
    "sets.taxibj",
    settings=("taxibj_order", "taxibj_split", "taxibj_synthetic"),
    any_scale=True,  # fitted to each city, so weights of one can be scored on another
    splits=("train", "test"),
    usual_length=8,
)
_built_in("human", "sets.human36m", (128, 128, 3), splits=("train", "test"), usual_length=8)
_built_in("kth", "sets.kth", (128, 128, 1), splits=("train", "test"), usual_length=20)
_RADAR = ("radar_values", "radar_missing", "dbz_min", "dbz_max", "thresholds")
_built_in(
    "radar",
    "sets.radar",
    settings=(*_RADAR, *_WINDOWS, *_DIVIDED),
    thresholds=(30.0, 40.0, 50.0),  # dBZ
    scale_settings=("dbz_min", "dbz_max"),
    usual_length=20,
)
_built_in(
    "sevir",
    "sets.sevir",
    settings=("sevir_type", "resize", "thresholds", *_WINDOWS),
    # Levels of VIL: the thresholds of the benchmark are for that type alone.
    thresholds=lambda data: (
        (16.0, 74.0, 133.0, 160.0, 181.0, 219.0) if data.sevir_type == "vil" else ()
    ),
    scale_settings=("sevir_type",),
    usual_length=25,
)
_built_in(
    "hko7",
    "sets.hko7",
    settings=("resize", "thresholds", *_WINDOWS),
    thresholds=(0.5, 2.0, 5.0, 10.0, 30.0),  # mm/h
    usual_length=25,
)
_built_in("folder", "files.recordings", settings=("resize", *_WINDOWS, *_DIVIDED), usual_length=20)
_built_in(
    "array",
    "files.recordings",
    settings=("scale", "resize", *_WINDOWS, *_DIVIDED),
    scale_kind="unit",
)
_GRID = ("scale", "variables", "group", "region", "coarsen", "split_dates", "thresholds")
_built_in(
    "grid", "sets.grid.grid", settings=(*_GRID, *_WINDOWS, *_FRACTIONS), scale_kind="standard"
)
_built_in(
    "radolan",
    "sets.radolan",
    settings=("scale", "coarsen", "split_dates", "thresholds", *_WINDOWS),
    thresholds=(1.0, 2.0, 5.0, 10.0),  # mm/h
    scale_kind="dbz",
    usual_length=18,
)
