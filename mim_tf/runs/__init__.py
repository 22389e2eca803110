"""Runs: the folder of a training, its record and its log."""
