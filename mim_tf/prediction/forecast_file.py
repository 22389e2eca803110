"""A forecast as a CF data set, with the coordinates of its input."""

import dataclasses
import datetime
import warnings
from pathlib import Path

import numpy as np

from mim_tf.data.sets.grid.grid import Grid
from mim_tf.errors import MimError
from mim_tf.runtime.optional import import_xarray
from mim_tf.values.step import Step, step_in_words
from mim_tf.version import __version__

_HOUR = 3600

_KEPT = ("long_name", "standard_name", "cell_methods")
"""Attributes of a field that its forecast has, too."""

_TIMES = {
    "lead_time": ("forecast_period", "lead time"),
    "time": ("time", "time of the forecast"),
    "forecast_reference_time": (
        "forecast_reference_time",
        "time of the last field of the context",
    ),
}
"""Coordinate of time -> its standard name and long name."""


@dataclasses.dataclass(frozen=True)
class ForecastOrigin:
    """The start of a forecast.

    Attributes:
        grid: the input.
        last: number of the last field of the context.
        weights: file or export that predicts.
        step: step from a field of the forecast to the next.
    """

    grid: Grid
    last: int
    weights: str
    step: Step

    def check_step(self) -> None:
        """Raise `MimError` if the step is unknown, so that the forecast has no times."""
        if not self.step[0]:
            raise MimError(
                f"{self.grid.paths[0]}: expected 2 fields or more to know the times of a forecast. "
                "Raise --context, or name the --output .npy."
            )

    def write(self, path: Path, values: np.ndarray) -> None:
        """Write a forecast `[horizon, H, W, C]` of physical values as NetCDF 4 (.nc) or Zarr.

        It has a variable for each channel over (lead_time, rows, columns). Its coordinates are
        those of the input, `lead_time`, the `time` each field is for, and
        `forecast_reference_time`.

        Raises:
            MimError: if a package is not installed.
        """
        is_zarr = path.suffix == ".zarr"
        xarray = import_xarray("zarr" if is_zarr else "h5netcdf")
        grid = self.grid
        mapping = grid.channels[0][0].mapping
        fields: dict[str, tuple] = {}
        if mapping is not None:
            fields[mapping.name] = ((), 0, mapping.attrs)
        axes = ("lead_time", *grid.coordinates.dims)
        for channel, name in enumerate(grid.variables):
            known = grid.channels[channel][0].data.attrs
            attrs = {key: known[key] for key in _KEPT if key in known}
            attrs["units"] = grid.units[channel] or "1"
            if mapping is not None:
                attrs["grid_mapping"] = mapping.name
            fields[name.replace("@", "_")] = (axes, values[..., channel], attrs)
        later = grid.times.following(self.last, len(values), self.step)
        lead, unit = later.seconds - grid.times.seconds[self.last], "seconds"
        if (lead % _HOUR == 0).all():
            lead, unit = lead // _HOUR, "hours"
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        attributes = {
            "Conventions": "CF-1.11",
            "title": f"Forecast of {', '.join(grid.variables)}",
            "source": f"mim_tf {__version__}, {self.weights}",
            "history": f"{now}: mim predict from {', '.join(map(str, grid.paths))}",
            "comment": f"Fields are {step_in_words(*self.step)} apart.",
        }
        result = xarray.Dataset(fields, grid.coordinates.coords, attributes).assign_coords(
            lead_time=("lead_time", lead, {"units": unit}),
            time=("lead_time", later.values),
            forecast_reference_time=((), grid.times.values[self.last]),
        )
        for name, (standard_name, long_name) in _TIMES.items():
            result[name].attrs.update(standard_name=standard_name, long_name=long_name)
        for coordinate in result.coords.values():
            coordinate.encoding = {"_FillValue": None}
        if is_zarr:
            with warnings.catch_warnings(action="ignore"):  # consolidated metadata, not in Zarr 3
                result.to_zarr(path)
        else:
            result.to_netcdf(path, engine="h5netcdf")
