"""Conventions of NetCDF and Zarr that xarray does not decode: missing values and months.

xarray reads a value as missing where it equals `_FillValue` or `missing_value`. Files declare
missing values in further ways (CF conventions 2.5.1; NetCDF users' guide, appendix B). `declare`
adds them to these two attributes before xarray decodes a file. Bounds of valid values are applied
when fields are read.
"""

import contextlib
import re
from pathlib import Path

import numpy as np
from absl import logging

from mim_tf.data.sets.grid.times import days_of_months
from mim_tf.errors import MimError

DEFAULT_FILLS = {
    "i2": -32767,
    "u2": 65535,
    "i4": -2147483647,
    "u4": 4294967295,
    "i8": -9223372036854775806,
    "u8": 18446744073709551614,
    "f4": 9.969209968386869e36,
    "f8": 9.969209968386869e36,
}
"""NetCDF's value of a cell that was never written, by dtype; numbers of one byte have none."""

_ENDS = (("valid_min", -np.inf), ("valid_max", np.inf))
_BOUNDS = ("valid_range", "valid_min", "valid_max")
_SECONDS = {"d": 86400, "h": 3600, "min": 60, "milli": 1e-3, "ms": 1e-3}
"""Seconds of units of time that begin so; others are seconds."""

_MONTHS = re.compile(r"\s*(month|mon|year|yr)s?\s+since\s+(.+)", re.IGNORECASE)


def declare(path: Path, raw, is_zarr: bool):
    """Return `raw`, a data set of xarray before decoding, with attributes that xarray decodes.

    - A cell that was never written has the default fill value of its dtype without `_FillValue`.
    - `_FillValue` and `missing_value` have the dtype of the values, also by `_Unsigned`.
    - Zarr writes a fill value of 0 if no other is given. Along axes it is ignored. Elsewhere a
      warning names the variable in which zeros are missing.
    - Times in whole months or years become days.
    - Numbers of packing and bounds may be texts, `_Unsigned` and units of time in capitals.
    - A variable since something else than a date, such as "hours since analysis", is no time.

    Raises `MimError` for parts of months or years, which differ in length, and for times that their
    float32 does not hold to the second.
    """
    for name, variable in raw.variables.items():
        attrs, dtype = variable.attrs, variable.dtype
        if dtype.kind not in "fiu":
            continue
        is_axis = variable.ndim <= 1
        for key in {"scale_factor", "add_offset"} & attrs.keys():
            with contextlib.suppress(TypeError, ValueError):  # xarray reports others
                attrs[key] = np.float64(attrs[key])
        for key in {key for key in _BOUNDS if isinstance(attrs.get(key), str)}:
            with contextlib.suppress(ValueError):  # "0, 0.5", as GDAL writes several numbers
                ends = np.array(re.split(r"[\s,]+", attrs[key].strip("{} ")), float)
                attrs[key] = ends if (ends % 1).any() else ends.astype(np.int64)
        if since := re.match(r"(.*)\ssince\s+", str(attrs.get("units", "")), re.IGNORECASE):
            start = attrs["units"][since.end() :]
            if variable.dims != (name,) and not re.search(r"\d", start):  # of a variable, no axis
                attrs["units_of_file"] = attrs.pop("units")
            else:
                attrs["units"] = f"{since[1].lower()} since {start}"
        if "_Unsigned" in attrs:
            attrs["_Unsigned"] = str(attrs["_Unsigned"]).lower()
        keys, dtypes = {"_FillValue", "missing_value"}, [dtype]
        if "_Unsigned" in attrs and dtype.kind in "iu":  # xarray reinterprets `_FillValue` itself
            keys, sign = {"missing_value"}, "u" if attrs["_Unsigned"] == "true" else "i"
            dtypes.append(np.dtype(f"{sign}{dtype.itemsize}"))
        for key in keys & attrs.keys():
            declared = attrs.pop(key)
            parts = [_as_stored(declared, each).view(dtypes[-1]) for each in dtypes]
            if any(map(len, parts)):
                attrs[key] = np.concatenate(parts)
        if is_zarr and np.any(attrs.get("_FillValue", 1) == 0):
            if is_axis:
                del attrs["_FillValue"]
            else:
                logging.warning(
                    "%s: zeros of %s are read as missing, because its fill value is 0. If they are "
                    "measurements, set fill_value to null in its metadata.",
                    *(path, name),
                )
        # An integer in Zarr may be a measurement, because Zarr has no default fill values.
        if not is_axis and dtype.str[1:] in DEFAULT_FILLS and (dtype.kind == "f" or not is_zarr):
            attrs.setdefault("_FillValue", dtype.type(DEFAULT_FILLS[dtype.str[1:]]))
        if is_axis and dtype == np.float32 and " since " in str(attrs.get("units")):
            _check_precision(path, name, variable.values, attrs["units"])
        units = _MONTHS.fullmatch(str(attrs.get("units", "")))
        calendar = str(attrs.get("calendar", "standard"))
        if units and calendar != "360_day":  # which xarray decodes
            start = re.sub(r"^(\d+-\d+)$", r"\1-01", units[2])  # since 1979-01
            days = _days(path, name, variable.values, units[1], start, calendar)
            attrs = attrs | {"units": f"days since {start}"}
            raw = raw.assign({name: (variable.dims, days, attrs)})
            bounds = str(attrs.get("bounds", attrs.get("climatology")))
            if bounds in raw.variables and "units" not in raw[bounds].attrs:  # as `name` has them
                ends = raw[bounds].variable
                days = _days(path, bounds, ends.values, units[1], start, calendar)
                raw = raw.assign({bounds: (ends.dims, days, ends.attrs)})
    return raw


def _as_stored(declared, dtype):
    """Return declared missing values as `dtype`, without those that it cannot hold."""
    found = set()
    for value in np.ravel(declared):
        # -999.9 in float32 is another number than in float64, but the same text.
        for same in (value, str(value)):
            with contextlib.suppress(ValueError, OverflowError), np.errstate(all="ignore"):
                number = dtype.type(same)
                if np.isfinite(number) and (dtype.kind == "f" or number == float(same)):
                    found.add(number)
    return np.array(sorted(found), dtype)


def _check_precision(path, name, values, units):
    """Raise `MimError` if rounding to float32 shows in equal steps, or in few times, in seconds."""
    values = values[np.abs(values) < 1e15]  # without NaN and fill values
    rounding = float(np.spacing(np.abs(values).max(initial=0)))
    word = units.strip().lower()
    unit = next((size for start, size in _SECONDS.items() if word.startswith(start)), 1)
    second = unit * rounding
    steps = np.unique(np.diff(values.astype(np.float64)))
    # One or two times in a file have no equal steps; rounded ones are not of whole minutes.
    seconds = values.astype(np.float64) * unit
    odd = len(values) < 3 and (np.abs(seconds - 60 * np.rint(seconds / 60)) > 0.5).any()
    if second > 0.5 and (odd or (np.diff(steps) <= 2 * rounding).any()):
        raise MimError(
            f"{path}: expected times exact to the second, got {name} in float32, which rounds "
            f"{units!r} to {second:g} s. Write them in float64."
        )


def _days(path, name, values, unit, start, calendar):
    """Return times in months or years since a date as days since it."""
    parts = values[values % 1 != 0]
    if parts.size:
        raise MimError(
            f"{path}: expected whole {unit}s in {name}, got {parts.flat[0]} {unit}s since {start}, "
            "which differ in length. Write dates instead."
        )
    months = values.astype(np.int64) * (12 if unit[0] in "yY" else 1)
    return days_of_months(months, start, calendar)


def valid_bounds(data) -> tuple[float, float]:
    """Return the smallest and the largest valid value of a decoded variable.

    `valid_range`, `valid_min` and `valid_max` are packed as the values are, unless they are floats
    and the packed values are integers. A bound that is not given is infinite.
    """
    attrs, packing = data.attrs, data.encoding
    given = [np.ravel(attrs[key]) for key in _BOUNDS if key in attrs]
    ends = given[0] if "valid_range" in attrs else [np.ravel(attrs.get(*end))[0] for end in _ENDS]
    if not given or len(ends) != 2 or any(each.dtype.kind not in "fiu" for each in given):
        return -np.inf, np.inf
    ends = np.array(ends, float)
    stored = np.dtype(packing.get("dtype", data.dtype))
    is_packed = stored.kind == "f" or all(each.dtype.kind in "iu" for each in given)
    if is_packed and stored.kind in "iu":
        if str(packing.get("_Unsigned")) == "true":
            ends = np.where(ends < 0, ends + 2.0 ** (8 * stored.itemsize), ends)
        ends += [-0.5, 0.5]  # half a step, because unpacking rounds
    if is_packed:
        ends = ends * packing.get("scale_factor", 1) + packing.get("add_offset", 0)
    return float(ends.min()), float(ends.max())
