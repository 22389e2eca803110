"""Where the sequences come from."""

import dataclasses
import os
from collections.abc import Iterable

from mim_tf.config.fields import check_fields, field, to_plain
from mim_tf.errors import MimError

DATASETS = (
    "mnist",
    "mnist_color",
    "taxibj",
    "human",
    "kth",
    "radar",
    "sevir",
    "hko7",
    "folder",
    "array",
    "grid",
)

_MOST_DIGITS = 1000
"""Frames are white long before."""

_MOST_SEQUENCES = 100_000_000
"""Their order is drawn as a whole, and takes 0.8 GB."""

THRESHOLDS = {
    "radar": (30, 40, 50),  # dBZ
    "sevir": (16, 74, 133, 160, 181, 219),  # levels of VIL
    "hko7": (0.5, 2, 5, 10, 30),  # mm/h
}
"""Data set -> thresholds of the published scores."""

WINDOWED_DATASETS = ("radar", "sevir", "hko7", "folder", "array", "grid")
"""Data sets whose windows window_stride and frame_interval choose; others have their own rules."""

SCALES = ("unit", "minmax", "standard", "none")
SCALED_DATASETS = ("grid", "array")
"""Data sets whose values may have any range."""


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where the sequences come from.

    `train_data_paths` and `valid_data_paths` may also be paths or lists of paths, which become
    text. Raises `MimError` for values that cannot be used.
    """

    dataset: str = field(
        "mnist",
        "Data set: mnist (Moving MNIST), mnist_color (colour-changing), taxibj, human, kth, radar, "
        "sevir, hko7, folder (videos or folders of images), array (.npy, .npz) or grid (NetCDF, "
        "Zarr, GRIB).",
        choices=DATASETS,
    )
    train_data_paths: str = field(
        "",
        "Training files or folders, comma separated; empty: Moving MNIST is generated, of other "
        "data all splits are in --valid_data_paths.",
    )
    valid_data_paths: str = field(
        "",
        "Validation and test files or folders, comma separated; empty: the training paths are "
        "divided; without any path Moving MNIST is generated.",
    )
    digits: str = field(
        "auto",
        "Digits for generated Moving MNIST: mnist (Keras' copy, downloaded if need be), bundled "
        "(a small set that comes with the package), a path (mnist.npz or a folder of IDX files), "
        "or auto: mnist if it can be had, otherwise bundled.",
    )
    num_digits: int = field(2, "Digits in a generated sequence.", minimum=1, maximum=_MOST_DIGITS)
    train_sequences: int = field(
        10_000,
        "Generated training sequences; 0: no two alike, without end.",
        minimum=0,
        maximum=_MOST_SEQUENCES,
    )
    valid_sequences: int = field(
        2_000, "Generated validation sequences.", minimum=1, maximum=_MOST_SEQUENCES
    )
    test_sequences: int = field(
        3_000, "Generated test sequences.", minimum=1, maximum=_MOST_SEQUENCES
    )
    test_sha256: str = field(
        "",
        "SHA-256 that all test sequences together should have, as scores.json records it; an "
        "evaluation says whether they do.",
    )
    data_seed: int = field(
        0,
        "Seed of generated sequences, and of the split by recording; fixes train, valid, test.",
        minimum=0,
    )
    taxibj_order: str = field(
        "chronological",
        "chronological, or reference: frames newest first, as in the 2019 code, whose model so "
        "predicts the past.",
        choices=("chronological", "reference"),
    )
    taxibj_split: str = field(
        "reference",
        "reference: the first test windows share up to total_length - 1 frames with the last "
        "training windows, as in the 2019 code; clean: those training windows are left out.",
        choices=("reference", "clean"),
    )
    taxibj_synthetic: bool = field(
        False, "A made-up small city in the place of TaxiBJ's files, to try things out."
    )
    check_files: bool = field(
        True,
        "Compare arrays of .npz files with their checksums before they are used, which reads each "
        "once.",
    )
    window_stride: int = field(
        1, "Frames between the starts of two windows of a recording.", minimum=1, maximum=10**9
    )
    frame_interval: int = field(
        1, "Frames of a recording from one frame of a window to the next.", minimum=1, maximum=10**9
    )
    resize: bool = field(
        False,
        "Resize frames to img_height x img_width; of sevir and hko7 to a whole fraction of theirs.",
    )
    valid_fraction: float = field(
        0.1,
        "Share of the recordings, or of the sequences of Moving MNIST, to validate on, where all "
        "splits are in the same paths.",
    )
    test_fraction: float = field(
        0.1,
        "Share of the recordings, or of the sequences of Moving MNIST, to test on, where all "
        "splits are in the same paths.",
    )
    scale: str = field(
        "auto",
        "What the network is given of grid and array: unit (values are in [0, 1]), minmax (the "
        "lowest and highest value of the training split are 0 and 1), standard (its mean is 0, "
        "its standard deviation 1), none (values as they are), or one of these for each channel, "
        "comma separated; auto: standard for grid, unit for array. Fitted for each channel; it "
        "is kept in the weights file, and undone in scores, pictures and predictions.",
    )
    variables: str = field(
        "",
        "Variables of grid that become channels, comma separated, each NAME or NAME@LEVEL; empty: "
        "all that are fields over time.",
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
    coarsen: int = field(
        1, "Rows and columns of grid whose mean becomes one value of a frame.", minimum=1
    )
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
        "Values of radar frames that stand for missing ones, comma separated: nan or numbers. "
        "They do not count in loss and scores.",
    )
    sevir_type: str = field(
        "vil",
        "Images of SEVIR: vil (vertically integrated liquid), vis, ir069 or ir107.",
        choices=("vil", "vis", "ir069", "ir107"),
    )
    thresholds: tuple[float, ...] = field(
        (),
        "Thresholds of the scores of events. Empty: those of the data set, 30, 40 and 50 dBZ of "
        "radar; 16, 74, 133, 160, 181 and 219 of the levels of VIL; 0.5, 2, 5, 10 and 30 mm/h of "
        "hko7.",
    )

    def __post_init__(self):
        for name in ("train_data_paths", "valid_data_paths"):
            object.__setattr__(self, name, _comma_separated(name, getattr(self, name)))
        to_plain(self)
        check_fields(self)
        self._check_use("window_stride", self.window_stride != 1, WINDOWED_DATASETS)
        self._check_use("frame_interval", self.frame_interval != 1, WINDOWED_DATASETS)
        self._check_use("thresholds", bool(self.thresholds), tuple(THRESHOLDS))
        known = self.dataset != "sevir" or self.sevir_type == "vil"
        thresholds = self.thresholds or (THRESHOLDS.get(self.dataset, ()) if known else ())
        for name, numbers in (("thresholds", thresholds), ("region", self.region)):
            object.__setattr__(self, name, tuple(map(float, numbers)))
        if len(self.region) not in (0, 4):
            raise MimError(
                "region must be four numbers, lat0,lat1,lon0,lon1, received "
                f"{','.join(f'{n:g}' for n in self.region)}."
            )
        self._check_scale()
        for name in ("valid_fraction", "test_fraction"):
            if not 0 < getattr(self, name) < 1:
                raise MimError(f"{name} must be between 0 and 1, received {getattr(self, name)}.")
        if self.valid_fraction + self.test_fraction >= 1:
            raise MimError(
                "valid_fraction and test_fraction must leave a share to train on, together below "
                f"1, received {self.valid_fraction} and {self.test_fraction}. Lower them."
            )

    @property
    def scale_kinds(self) -> tuple[str, ...]:
        """The kinds of scale, one for all channels or one for each."""
        if self.scale == "auto":
            return ("standard",) if self.dataset == "grid" else ("unit",)
        return tuple(kind.strip() for kind in self.scale.split(","))

    def _check_use(self, name, is_set, datasets):
        if is_set and self.dataset not in datasets:
            raise MimError(
                f"{name} is for --dataset={', '.join(datasets)}; it has no effect on "
                f"{self.dataset}, whose sequences and scores are made otherwise. Leave it out."
            )

    def _check_scale(self):
        for kind in self.scale_kinds:
            if kind not in SCALES:
                raise MimError(
                    f"scale must be {', '.join(SCALES)} or auto, or several of them, comma "
                    f"separated; received {self.scale!r}."
                )
        if set(self.scale_kinds) != {"unit"} and self.dataset not in SCALED_DATASETS:
            raise MimError(
                f"--scale={self.scale} is for --dataset={' and '.join(SCALED_DATASETS)}; "
                f"{self.dataset} has a scale of its own. Leave it out."
            )


def _comma_separated(name, value):
    """Paths as text; what else there is stays."""
    if isinstance(value, str) or not isinstance(value, os.PathLike | Iterable):
        return value
    texts = []
    for path in [value] if isinstance(value, os.PathLike) else value:
        if not isinstance(path, str | os.PathLike):
            raise MimError(f"{name} must be a path or several, received {path!r} among them.")
        texts.append(os.fsdecode(path))
        if "," in texts[-1]:
            raise MimError(
                f"{name}: expected paths without a comma, which separates paths, received "
                f"{texts[-1]}. Rename it."
            )
    return ",".join(texts)
