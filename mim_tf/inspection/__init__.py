"""Inspection of data: recognise a path, open what it holds and read every value."""
