"""Small NetCDF files and Zarr stores."""

import numpy as np
import pandas as pd
import xarray as xr

LATITUDES = np.linspace(60, 30, 6)
LONGITUDES = np.arange(0, 360, 45.0)


def dataset(
    times=24, start="2015-01-01", step="6h", latitudes=LATITUDES, longitudes=LONGITUDES, seed=0
):
    """t2m in K and u10 in m s-1, normal around 280 and 0; a value of t2m is missing."""
    times = pd.date_range(start, periods=times, freq=step) if isinstance(times, int) else times
    generator = np.random.default_rng(seed)
    shape = len(times), len(latitudes), len(longitudes)
    temperature = generator.normal(280, 10, shape).astype(np.float32)
    temperature[3 % len(times), 1, 2] = np.nan
    wind = generator.normal(0, 3, shape).astype(np.float32)
    axes = ("time", "lat", "lon")
    return xr.Dataset(
        {
            "t2m": (axes, temperature, {"units": "K", "long_name": "2 metre temperature"}),
            "u10": (axes, wind, {"units": "m s-1"}),
        },
        {
            "time": times,
            "lat": ("lat", latitudes, {"standard_name": "latitude", "units": "degrees_north"}),
            "lon": ("lon", longitudes, {"standard_name": "longitude", "units": "degrees_east"}),
        },
    )


def weatherbench(times, start, seed):
    """t2m at 5.625 degrees, hourly, as WeatherBench lays it out: south first, 0 to 360 east."""
    latitudes = np.arange(32) * 5.625 - 87.1875
    longitudes = np.arange(64) * 5.625
    return dataset(times, start, "h", latitudes, longitudes, seed)[["t2m"]]


def write(path, fields, chunk=None, zarr_format=3):
    """Writes a data set, by the suffix of `path`, in chunks of so many times; returns `path`."""
    if path.suffix == ".zarr":
        encoding = {n: {"chunks": (chunk, *d.shape[1:])} for n, d in fields.data_vars.items()}
        options = {"consolidated": False, "zarr_format": zarr_format}
        fields.to_zarr(path, encoding=encoding if chunk else None, **options)
        return path
    encoding = {n: {"chunksizes": (chunk, *d.shape[1:])} for n, d in fields.data_vars.items()}
    fields.to_netcdf(path, engine="h5netcdf", encoding=encoding if chunk else None)
    return path


def write_grib(path, edition, times=24):
    """2 metre temperature in K, normal around 280, every six hours on 6 x 8 points."""
    import eccodes  # which takes a second

    grid = {"Ni": 8, "Nj": 6, "iDirectionIncrementInDegrees": 5, "jDirectionIncrementInDegrees": 5}
    for axis, first, last in (("latitude", 60, 35), ("longitude", 0, 35)):
        grid[f"{axis}OfFirstGridPointInDegrees"] = first
        grid[f"{axis}OfLastGridPointInDegrees"] = last
    values = np.random.default_rng(0).normal(280, 10, (times, 48))
    with path.open("wb") as file:
        for n in range(times):
            time = {"dataDate": 20150101 + n // 4, "dataTime": 600 * (n % 4), "shortName": "2t"}
            message = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
            for key, value in (grid | time).items():
                eccodes.codes_set(message, key, value)
            eccodes.codes_set_values(message, values[n])
            eccodes.codes_write(message, file)
            eccodes.codes_release(message)
