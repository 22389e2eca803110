"""RADOLAN: eleven days of rain over Germany, which the package pycomlink holds.

3,168 fields of 190 x 228 km at 5 minutes and 1 km, 10 to 20 May 2018: the product YW of Deutscher
Wetterdienst (DWD), rain gauges and radar, sums of 0.01 mm. 2.5 % of the values are missing.
"""

import dataclasses
import importlib.util
import os

from mim_tf.config import DataConfig
from mim_tf.data.sets.grid.grid import open_grid, shape_of_grid
from mim_tf.data.source import WindowSource
from mim_tf.errors import MimError
from mim_tf.values.scale import RAIN_SCALES

FILE = "io/example_data/example_areal_reference_data.nc"
VARIABLE = "rainfall_amount"
DATES = "2018-05-17,2018-05-20"
"""Where validation and test begin; the test is one day."""


def open_radolan(data: DataConfig, *arguments, **settings) -> WindowSource:
    """Open windows of rain in mm/h, NaN where missing, as `open_grid` does.

    The file is found in the installed package, or given as `train_data_paths`. Training is 10 to 16
    May, validation 17 to 19 May, test 20 May.
    """
    return open_grid(_as_grid(data), *arguments, **settings)


def shape_of_radolan(data: DataConfig) -> tuple[int, int, int]:
    """Return (H, W, 1) of the fields."""
    return shape_of_grid(_as_grid(data))


def _as_grid(data):
    has_paths = data.train_data_paths or data.valid_data_paths
    return dataclasses.replace(
        data,
        dataset="grid",
        train_data_paths=data.train_data_paths if has_paths else _file_of_package(),
        variables=VARIABLE,
        scale=data.scale_kinds[0],
        split_dates=data.split_dates or DATES,
        # The defaults are in mm/h.
        thresholds=data.event_thresholds if data.scale_kinds[0] in RAIN_SCALES else data.thresholds,
    )


def _file_of_package():
    # Found, not imported: pycomlink needs packages that this one does not.
    spec = importlib.util.find_spec("pycomlink")
    folders = spec.submodule_search_locations if spec else None
    path = os.path.join(folders[0], *FILE.split("/")) if folders else ""
    if not os.path.isfile(path):
        raise MimError(
            "--dataset=radolan needs the package pycomlink, or its file example_areal_reference_"
            f"data.nc as --train_data_paths, got {path or 'neither'}. Run pip install pycomlink."
        )
    return path
