"""Files and folders that appear only when they are complete, where nothing is yet."""

import contextlib
import os
import tempfile
from pathlib import Path

from mim_tf.errors import MimError


def check_free(path, other: str) -> None:
    """Raises `MimError` where `path` exists, which says to give another `other`."""
    if os.path.lexists(path):
        raise MimError(f"{path} exists already. Remove it or give another {other}.")


@contextlib.contextmanager
def written_whole(path, suffix: str, other: str):
    """Yields a path that ends in `suffix`; what is made there is moved to `path` at the end.

    Args:
        path: of a file or folder; missing folders above it are made.
        suffix: by which those who write know the format; "" for a folder.
        other: as for `check_free`.

    Raises:
        MimError: if `path` exists by then or cannot be written. Nothing is written then.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
            part = Path(folder) / f"part{suffix}"
            yield part
            check_free(path, other)
            part.rename(path)
    except OSError as error:
        raise MimError(f"{path} cannot be written: {error}. Choose another place.") from None
