"""Numbered versions of a model in a folder, as TensorFlow Serving expects them."""

import re
from pathlib import Path


def publish(folder: Path, parent: Path) -> Path:
    """Moves `folder`, complete, to the next free version of `parent`; returns its new path.

    Nothing is overwritten, also where another program makes the same version first.
    """
    while True:
        version = parent / str(next_version(parent))
        try:
            return folder.rename(version)
        except OSError:
            if not version.exists():
                raise


def next_version(parent: Path) -> int:
    """One more than the largest version in `parent`: a server takes the largest by default."""
    names = [path.name for path in parent.iterdir()]
    return 1 + max((int(name) for name in names if re.fullmatch("[0-9]+", name)), default=0)
