"""Fields with coordinates: NetCDF, Zarr and GRIB files through xarray."""
