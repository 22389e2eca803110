"""The version, its only place."""

__version__ = "1.12.0"
