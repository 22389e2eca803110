"""The data sets of the package: one file or folder for each."""
