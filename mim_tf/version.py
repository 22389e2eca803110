"""The version, its only place."""

__version__ = "1.9.0"
