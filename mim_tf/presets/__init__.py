"""Trained weights by name: those that come with the package, and folders of one's own."""
