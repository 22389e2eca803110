"""Where the sequences come from: every setting of the data, with its default and its flag."""

import dataclasses
import os
from collections.abc import Iterable

from mim_tf.config.datasets import DataSet, find_data_set, registered_data_sets
from mim_tf.config.fields import complete, field
from mim_tf.errors import MimError
from mim_tf.storage.paths import divided
from mim_tf.values.text import listed

SCALES = ("unit", "minmax", "standard", "none", "log", "dbz")
"""Values of `--scale`, besides auto."""

_FOR_ALL = ("dataset", "train_data_paths", "valid_data_paths", "test_sha256", "check_files")
"""Settings that every data set accepts."""

_MOST = 100_000_000  # sequences: their order is drawn as a whole, and takes 0.8 GB


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where the sequences come from.

    `train_data_paths` and `valid_data_paths` may also be paths or lists of paths, which become
    text. Raises `MimError` for wrong values, and for settings that the data set does not use.
    """

    dataset: str = field(
        "mnist",
        "Data set: mnist (Moving MNIST), mnist_color (colour-changing), taxibj, human, kth, radar, "
        "sevir, hko7, folder (videos or folders of images), array (.npy, .npz), grid (NetCDF, "
        "Zarr, GRIB), radolan (the rain of eleven days in the package pycomlink), or one that "
        "--network_module registers.",
    )
    train_data_paths: str = field(
        "",
        "Training files or folders, comma separated. Empty: Moving MNIST is generated; other data "
        "is read from --valid_data_paths alone and divided.",
    )
    valid_data_paths: str = field(
        "",
        "Validation and test files or folders, comma separated. Empty: the training paths are "
        "divided. Without any path Moving MNIST is generated.",
    )
    digits: str = field(
        "auto",
        "Digits for generated Moving MNIST: mnist (Keras' copy, downloaded if needed), bundled "
        "(a small set in the package), a path (mnist.npz or a folder of IDX files), or auto: "
        "mnist if available, otherwise bundled.",
    )
    num_digits: int = field(2, "Digits in a generated sequence.", minimum=1, maximum=1000)
    train_sequences: int = field(
        10_000, "Generated training sequences; 0: endless, no two alike.", minimum=0, maximum=_MOST
    )
    valid_sequences: int = field(2_000, "Generated validation sequences.", minimum=1, maximum=_MOST)
    test_sequences: int = field(3_000, "Generated test sequences.", minimum=1, maximum=_MOST)
    test_sha256: str = field(
        "", "SHA-256 that all test sequences should have; an evaluation says whether they do."
    )
    data_seed: int = field(0, "Seed of generated sequences and of splits by recording.", minimum=0)
    taxibj_order: str = field(
        "chronological",
        "chronological, or reference: newest frame first, as in the 2019 code, whose model "
        "therefore predicts the past.",
        choices=("chronological", "reference"),
    )
    taxibj_split: str = field(
        "reference",
        "reference: the first test windows share up to total_length - 1 frames with the last "
        "training windows, as in the 2019 code; clean: those training windows are left out.",
        choices=("reference", "clean"),
    )
    taxibj_synthetic: bool = field(False, "Use a small synthetic city, to try TaxiBJ out.")
    check_files: bool = field(
        True, "Compare .npz files with their checksums first, which reads each file once."
    )
    window_stride: int = field(
        1, "Frames between the starts of two windows of a recording.", minimum=1, maximum=10**9
    )
    frame_interval: int = field(
        1, "Frames of a recording from one frame of a window to the next.", minimum=1, maximum=10**9
    )
    crop: int = field(
        0,
        "Side of the squares to train and validate on, cut out anywhere in the frames; 0: whole "
        "frames.",
        minimum=0,
    )
    wet_share: float = field(
        0.0,
        "Share of the crops that are the one with the largest mean of eight drawn, because most of "
        "the sky is dry.",
        minimum=0,
        maximum=1,
    )
    turned: bool = field(
        False, "Turn and mirror crops in training, for data without a preferred direction."
    )
    resize: bool = field(
        False, "Resize frames to the model's; of sevir and hko7 to a whole fraction of theirs."
    )
    valid_fraction: float = field(
        0.1, "Share of the data to validate on, if all splits are in one path.", above=0, below=1
    )
    test_fraction: float = field(
        0.1, "Share of the data to test on, if all splits are in one path.", above=0, below=1
    )
    scale: str = field(
        "auto",
        "How values of grid and array are scaled for the network, comma separated if channels "
        "differ: unit (already in [0, 1]), minmax (lowest and highest value of the training split "
        "become 0 and 1), standard (mean 0, standard deviation 1), none, log or dbz (rain of 0 to "
        "200 mm/h in equal steps of its logarithm or of reflectivity); auto: standard for grid, "
        "unit for array, dbz for radolan. Scores, pictures and predictions have the original "
        "values, rain in mm/h.",
    )
    variables: str = field(
        "",
        "Variables of grid that become channels, comma separated, each NAME or NAME@LEVEL; empty: "
        "all that are fields over time.",
    )
    group: str = field(
        "",
        "Group of NetCDF 4, HDF5 and Zarr files with the fields of grid; empty: the only one that "
        "has fields.",
    )
    split_dates: str = field(
        "",
        "Two dates, where validation and where test of grid begin, such as "
        "2016-01-01,2017-01-01; empty: the last valid_fraction and test_fraction of the times.",
    )
    region: tuple[float, ...] = field(
        (),
        "Part of the globe to take of grid: lat0,lat1,lon0,lon1 in degrees, from lon0 eastwards; "
        "empty: all.",
    )
    coarsen: int = field(1, "Rows and columns of grid whose mean becomes one value.", minimum=1)
    radar_values: str = field(
        "dbz",
        "What radar arrays hold: dbz (reflectivity) or unit (already in [0, 1]). Levels 0..255 of "
        "pictures are always dbz_min..dbz_max.",
        choices=("dbz", "unit"),
    )
    dbz_min: float = field(0.0, "Reflectivity in dBZ that is 0 in a frame; lower is clipped.")
    dbz_max: float = field(70.0, "Reflectivity in dBZ that is 1 in a frame; higher is clipped.")
    radar_missing: str = field(
        "",
        "Values of radar frames that mean missing, comma separated: nan or numbers. They are left "
        "out of loss and scores.",
    )
    sevir_type: str = field(
        "vil",
        "Images of SEVIR: vil (vertically integrated liquid), vis, ir069 or ir107.",
        choices=("vil", "vis", "ir069", "ir107"),
    )
    thresholds: tuple[float, ...] = field(
        (),
        "Thresholds of the scores of events. Empty: 30, 40 and 50 dBZ of radar; 16, 74, 133, 160, "
        "181 and 219 of the levels of VIL; 0.5, 2, 5, 10 and 30 mm/h of hko7; 1, 2, 5 and 10 mm/h "
        "of radolan; none of grid, whose thresholds are in the unit of its only variable.",
    )

    def __post_init__(self):
        for name in ("train_data_paths", "valid_data_paths"):
            object.__setattr__(self, name, _comma_separated(name, getattr(self, name)))
        complete(self)
        for paths in (self.train_data_paths, self.valid_data_paths):
            divided(paths)  # raises for a URL
        if unused := _unused(self.dataset, vars(self)):
            sets = registered_data_sets().values()
            users = listed((each.name for each in sets if unused[0] in each.settings), "and")
            raise MimError(f"--{unused[0]} is for {users}, not for --dataset={self.dataset}.")
        if len(self.region) not in (0, 4):
            raise MimError(f"region must be four numbers, lat0,lat1,lon0,lon1, got {self.region}.")
        if not set(self.scale_kinds) <= set(SCALES):
            raise MimError(f"scale must be auto, {listed(SCALES)}, or a list, got {self.scale!r}.")
        if not self.crop and (self.wet_share or self.turned):
            raise MimError("wet_share and turned are for crops: give --crop too.")
        if self.valid_fraction + self.test_fraction >= 1:
            raise MimError(
                "valid_fraction and test_fraction must be below 1 together, got "
                f"{self.valid_fraction} and {self.test_fraction}."
            )

    @property
    def declared(self) -> DataSet:
        """The declaration of the data set."""
        return find_data_set(self.dataset)

    @property
    def scale_kinds(self) -> tuple[str, ...]:
        """Kinds of scale: one for all channels, or one for each."""
        if self.scale == "auto":
            return (self.declared.scale_kind or "unit",)
        return tuple(kind.strip() for kind in self.scale.split(","))

    @property
    def event_thresholds(self) -> tuple[float, ...]:
        """`thresholds`, or the defaults of the data set."""
        default = self.declared.thresholds
        return self.thresholds or tuple(default(self) if callable(default) else default)


def used_settings(settings: dict) -> dict:
    """Return stored fields of `DataConfig` without those that their data set does not use.

    Versions up to 1.2 accepted and stored them, though they had no effect.
    """
    unused = _unused(settings.get("dataset", DataConfig.dataset), settings)
    return {name: value for name, value in settings.items() if name not in unused}


def _unused(dataset, settings):
    """Return the settings that differ from their defaults and that a data set does not use."""
    used = {*_FOR_ALL, *find_data_set(dataset).settings}
    return [
        each.name
        for each in dataclasses.fields(DataConfig)
        if each.name not in used
        # JSON has no tuples, and the empty tuple is the only one among the defaults.
        and (settings.get(each.name, each.default) or None) != (each.default or None)
    ]


def _comma_separated(name, value):
    """Return one or several paths as text; other values are left for `complete` to refuse."""
    if isinstance(value, str) or not isinstance(value, os.PathLike | Iterable):
        return value
    paths = [value] if isinstance(value, os.PathLike) else list(value)
    for path in paths:
        is_path = isinstance(path, str | os.PathLike)
        # A single path that exists may have commas, see `divided`.
        may_have_commas = len(paths) == 1 and is_path and os.path.lexists(path)
        if not is_path or ("," in os.fsdecode(path) and not may_have_commas):
            raise MimError(f"{name} must be paths without commas, got {path!r}.")
    return ",".join(map(os.fsdecode, paths))
