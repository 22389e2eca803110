"""The version, its only place."""

__version__ = "1.11.0"
