"""Scores of predicted frames, and their pictures."""
