"""Prediction from files, without ground truth."""
