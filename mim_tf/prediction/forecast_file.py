"""A forecast as a CF data set, with the coordinates of what it was made from."""

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


@dataclasses.dataclass(frozen=True)
class ForecastOrigin:
    """What a forecast starts from.

    Attributes:
        grid: of the input.
        last: number of the last field the network is given.
        weights: file or export that predicts.
        step: from a field of the forecast to the next.
    """

    grid: Grid
    last: int
    weights: str
    step: Step

    def check_step(self) -> None:
        """Raises `MimError` if the step is not known, and so no time of the forecast."""
        if not self.step[0]:
            raise MimError(
                f"{self.grid.paths[0]}: expected at least 2 fields, which say how far apart the "
                "times of the forecast are, received 1. Give more fields (--context says how many "
                "are used), or name the output .npy, which has no times."
            )

    def dataset(self, values: np.ndarray):
        """The forecast as an xarray data set.

        Args:
            values: `[horizon, H, W, C]`, physical.

        Returns:
            A variable for each channel over (lead_time, rows, columns), with the coordinates of the
            input, `lead_time`, the `time` that each field is for, and `forecast_reference_time`.
        """
        xarray = import_xarray()
        self.check_step()
        grid, horizon = self.grid, len(values)
        later = grid.times.following(self.last, horizon, self.step)
        start = grid.times.values[self.last]
        seconds = later.seconds - grid.times.seconds[self.last]
        in_hours = (seconds % _HOUR == 0).all()
        lead = seconds // _HOUR if in_hours else seconds
        axes = ("lead_time", *grid.coordinates.dims)
        fields = {
            name.replace("@", "_"): (axes, values[..., channel], attributes)
            for channel, (name, attributes) in enumerate(grid.attributes(_KEPT).items())
        }
        result = xarray.Dataset(fields, grid.coordinates.coords, self._made())
        units = {"units": "hours" if in_hours else "seconds"}
        result = result.assign_coords(
            lead_time=("lead_time", lead, units | _named("forecast_period", "lead time")),
            time=("lead_time", later.values, _named("time", "time the forecast is for")),
            forecast_reference_time=(
                (),
                start,
                _named("forecast_reference_time", "time of the last field that was given"),
            ),
        )
        mapping = grid.mapping
        if mapping is not None:
            result = result.assign({mapping.name: ((), 0, mapping.attrs)})
            for name in fields:
                result[name].attrs["grid_mapping"] = mapping.name
        for coordinate in result.coords.values():
            coordinate.encoding = {"_FillValue": None}
        return result

    def _made(self):
        grid = self.grid
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return {
            "Conventions": "CF-1.11",
            "title": f"Forecast of {', '.join(grid.variables)}",
            "source": f"mim_tf {__version__}, {self.weights}",
            "history": f"{now}: mim predict from {', '.join(map(str, grid.paths))}",
            "comment": f"Fields are {step_in_words(*self.step)} apart.",
        }


def write_forecast(path: Path, values: np.ndarray, origin: ForecastOrigin) -> None:
    """Writes a forecast `[horizon, H, W, C]` of physical values as NetCDF 4 (.nc) or Zarr.

    Raises:
        MimError: if a package is not installed.
    """
    import_xarray("zarr" if path.suffix == ".zarr" else "h5netcdf")
    result = origin.dataset(values)
    if path.suffix == ".zarr":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Zarr 3 has no word for consolidated metadata yet.
            result.to_zarr(path)
    else:
        result.to_netcdf(path, engine="h5netcdf")


def _named(standard_name, long_name):
    return {"standard_name": standard_name, "long_name": long_name}
