"""The version, its only place."""

__version__ = "1.6.0"
