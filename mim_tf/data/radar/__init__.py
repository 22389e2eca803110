"""Radar echoes: events and their windows."""
