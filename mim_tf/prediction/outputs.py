"""Files to which predictions are written: arrays, pictures, videos and CF data sets."""

import dataclasses
import datetime
import os
import re
import warnings
from pathlib import Path

import numpy as np

from mim_tf.data.sets.grid.grid import Grid
from mim_tf.errors import MimError
from mim_tf.evaluation.errors import to_uint8
from mim_tf.evaluation.pictures import gif, mp4, png, shown_frames, upright
from mim_tf.runtime.optional import import_xarray
from mim_tf.storage.paths import check_free, written_whole
from mim_tf.values.scale import UNIT, LinearScale, are_same_units
from mim_tf.values.step import Step, step_in_words
from mim_tf.values.text import listed
from mim_tf.version import __version__

FORMS = {f: f".{f}" for f in ("npy", "gif", "mp4", "images", "nc", "zarr")} | {"images": ""}
"""Form of an output -> its suffix; images are a folder."""

_WITH_COORDINATES = ("nc", "zarr")

_NOT_NEGATIVE = re.compile(
    r"dbz|mm(\W.*)?|kg\W*m\W*2(\W.*)?|k?g\W*kg(\W.*)?|%|percent", re.IGNORECASE
)
"""Units of values such as reflectivity, rain and humidity.

Not K and Pa: their values are far from 0 unless they are anomalies, which may be negative.
"""

TIME = "{time}"
"""Part of an output's name that becomes the time of the last field of the context."""

_HOUR = 3600

_RAIN_RATE = {"long_name": "precipitation rate", "standard_name": "lwe_precipitation_rate"}
_KEPT = ("long_name", "standard_name", "cell_methods")
"""Attributes of a field that its forecast has, too."""

_TIMES = {
    "lead_time": ("forecast_period", "lead time"),
    "time": ("time", "time of the forecast"),
    "forecast_reference_time": ("forecast_reference_time", "time of the last field of the context"),
}
"""Coordinate of time -> its standard name and long name."""


@dataclasses.dataclass(frozen=True)
class ForecastOrigin:
    """The start of a forecast."""

    grid: Grid  # the input
    context: np.ndarray  # numbers of the fields of the context
    weights: str  # file or export that predicts
    step: Step  # from a field of the forecast to the next

    @property
    def last(self) -> int:
        """Number of the last field of the context."""
        return int(self.context[-1])

    def possible(self, values: np.ndarray) -> np.ndarray:
        """Return a forecast `[horizon, H, W, C]` of physical values without impossible ones.

        Values that are missing in all fields of the context are NaN. Negative values become 0 where
        the unit has none, such as mm, unless the context has negative values.
        """
        context = self.grid.read(self.context)
        values = np.where(np.isnan(context).all(axis=0), np.float32(np.nan), values)
        for channel, unit in enumerate(self.grid.units):
            if _NOT_NEGATIVE.fullmatch(unit) and not (context[..., channel] < 0).any():
                values[..., channel] = np.maximum(values[..., channel], 0)
        return values

    def write(self, path: Path, values: np.ndarray) -> None:
        """Write a forecast `[horizon, H, W, C]` of physical values as NetCDF 4 (.nc) or Zarr.

        It has a variable for each channel over (lead_time, rows, columns). Its coordinates are
        those of the input, `lead_time`, the `time` each field is for, and
        `forecast_reference_time`. Raises `MimError` if a package is not installed.
        """
        is_zarr = path.suffix == ".zarr"
        xarray = import_xarray("zarr" if is_zarr else "h5netcdf")
        grid = self.grid
        mapping = grid.channels[0][0].mapping
        fields: dict[str, tuple] = {}
        if mapping is not None:
            # GeoTransform is of the file's pixels, which may have been coarsened.
            attrs = {key: v for key, v in mapping.attrs.items() if key != "GeoTransform"}
            fields[mapping.name] = ((), 0, attrs)
        axes = ("lead_time", *grid.coordinates.dims)
        for channel, name in enumerate(grid.variables):
            known = grid.channels[channel][0].data.attrs
            attrs = {key: known[key] for key in _KEPT if key in known}
            units = [grid.units[channel]], [grid.channels[channel][0].unit]
            if not are_same_units(*units):  # sums have become rates
                attrs = _RAIN_RATE.copy()
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
            coordinate.attrs.pop("bounds", None)  # which the forecast does not have
            coordinate.encoding = {"_FillValue": None}
        if is_zarr:
            with warnings.catch_warnings(action="ignore"):  # consolidated metadata, not in Zarr 3
                result.to_zarr(path)
        else:
            # In memory, because HDF5 crashes the process when it closes a file on a full disk.
            path.write_bytes(result.to_netcdf(engine="h5netcdf"))


@dataclasses.dataclass(frozen=True)
class Output:
    """Where a prediction is written, in which of the `FORMS`, and whether it replaces a file."""

    path: Path
    form: str
    overwrite: bool = False

    def named(self, origin: ForecastOrigin) -> "Output":
        """Return the output with a time instead of `TIME`; raise `MimError` if it is taken."""
        time = origin.grid.times.in_a_name(origin.last)
        path = Path(str(self.path).replace(TIME, time))
        _check_place(path, origin.grid.paths, self.overwrite)
        return dataclasses.replace(self, path=path)

    def check(self, channels: int, batch_axis: bool, origin=None, scale=UNIT) -> None:
        """Raise `MimError` if this form cannot hold such frames, or several sequences."""
        expected = ""
        if self.form in _WITH_COORDINATES:
            if not origin:
                expected = "an --input with coordinates (NetCDF, Zarr, GRIB)"
            elif not origin.step[0]:  # so that the forecast has no times
                raise MimError(
                    f"{origin.grid.paths[0]}: expected 2 fields or more for times. Raise "
                    "--context, or name the --output .npy."
                )
        elif self.form != "npy" and batch_axis:
            expected = "one sequence, not an input with a batch axis"
        elif self.form != "npy" and channels not in (1, 3) and not scale.names:
            expected = f"1 or 3 channels for pictures, got {channels}"
        if expected:
            raise MimError(f"{self.path}: expected {expected}. Name the --output .npy.")

    def write(self, frames: np.ndarray, scale: LinearScale = UNIT, origin=None) -> None:
        """Write frames `[horizon, H, W, C]`, or for `.npy` also `[N, ...]`, atomically.

        `.npy`, NetCDF and Zarr hold physical values, float32, or frames if there are none. Pictures
        hold levels 0..255, truncated as in the 2019 code, of the first channel where channels have
        names, the north at the top. GIF and MP4 show five frames a second. Raises `MimError` if the
        output exists or cannot be written.
        """
        values = scale.to_physical(frames)
        if origin is not None:
            values = origin.possible(values)
        with written_whole(self.path, FORMS[self.form], "--output", self.overwrite) as part:
            if self.form == "npy":
                np.save(part, values)
            elif self.form not in _WITH_COORDINATES:
                south_first = origin is not None and origin.grid.south_first
                shown = upright(shown_frames(frames, scale), south_first)
                _write_pictures(part, self.form, to_uint8(shown))
            elif origin is not None:  # see `check`
                origin.write(part, values)


def name_outputs(
    inputs: list[Path],
    many: bool,
    output: str | Path,
    form: str | None = None,
    overwrite: bool = False,
) -> list[Output]:
    """Return where the prediction of each input is written.

    Args:
        inputs, many: as from `list_inputs`.
        output: the file to write. For many inputs a folder, whose files have their names.
        form: form of many outputs; None: npy. The name of a single output tells its form.
        overwrite: whether files and Zarr stores that exist are replaced. Folders of images are not,
            because they may hold other images.
    """
    output = Path(output)
    forms = {suffix: form for form, suffix in FORMS.items()}
    if many:
        form = form or "npy"
        is_file = os.path.lexists(output) and not os.path.isdir(output)
        if is_file or (output.suffix and output.suffix in forms):
            raise MimError(f"{output}: expected a folder as --output for a folder of inputs.")
        names = [path.name if os.path.isdir(path) else path.stem for path in inputs]
        paths = [output / f"{name}{FORMS[form]}" for name in names]
    elif form:
        raise MimError(f"--format is for a folder of inputs: {output} has its format in its name.")
    else:
        form, paths = forms.get(output.suffix.lower()), [output]
    if form is None:
        suffixes = listed(suffix or "no suffix for a folder of images" for suffix in forms)
        raise MimError(f"Expected an --output that ends in {suffixes}, got {output}.")
    overwrite = overwrite and form != "images"
    for number, path in enumerate(paths):
        _check_place(path, inputs, overwrite)
        if (first := paths.index(path)) < number:
            raise MimError(f"{inputs[first]} and {inputs[number]} would both become {path}.")
    return [Output(path, form, overwrite) for path in paths]


def _check_place(path, inputs, overwrite):
    """Raise `MimError` if a path exists and may not be replaced, or is one of the inputs."""
    if not overwrite:
        check_free(path, "--output")
    if os.path.exists(path) and any(os.path.exists(p) and path.samefile(p) for p in inputs):
        raise MimError(f"{path} is the --input. Give another --output.")


def _write_pictures(path, form, levels):
    """Write levels `[T, H, W, C]`, uint8, as a GIF, an MP4 or a folder of images."""
    pictures = levels[..., 0] if levels.shape[-1] == 1 else levels
    if form == "mp4":
        path.write_bytes(mp4(levels))
    elif form == "gif":
        path.write_bytes(gif(pictures))
    else:
        path.mkdir()
        for number, picture in enumerate(pictures, 1):
            (path / f"pd{number}.png").write_bytes(png(picture))
