"""Runs: the folder of a training and the record of its settings."""
