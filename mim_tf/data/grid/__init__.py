"""Fields with coordinates: NetCDF, Zarr and GRIB, through xarray."""
