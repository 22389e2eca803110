"""Files: paths that users give, atomic writing, JSON, CSV and HDF5."""
