"""Files and folders that appear only once they are complete."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mim_tf.errors import MimError


def check_free(path: str | Path, other: str) -> None:
    """Raises `MimError` if `path` exists; the message asks for another `other`."""
    if os.path.lexists(path):
        raise MimError(f"{path} exists already. Remove it or give another {other}.")


def move_into_place(part: Path, path: Path) -> None:
    """Renames a complete file or folder to `path`; a power cut leaves the old or the new one."""
    for written in (part, *part.rglob("*")) if part.is_dir() else (part,):
        _sync(written)
    os.replace(part, path)
    _sync(path.parent)


def _sync(path):
    """Has what the system keeps in memory of a file or folder on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # folders of some network file systems
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def remove_debris(folder: Path) -> None:
    """Removes what writers that were killed left in `folder`; call it where nobody writes."""
    for path in folder.glob(".writing-*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob("*.part"):
        path.unlink(missing_ok=True)


def check_writable(folder: str | Path) -> None:
    """Makes `folder` where it is missing; raises `MimError` if no file can be written in it."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        raise MimError(f"{folder} cannot be written in: {error}. Choose another folder.") from None


@contextlib.contextmanager
def written_whole(
    path: str | Path, suffix: str = "", other: str = "name", replace: bool = False
) -> Iterator[Path]:
    """Yields a path to write to; what is there at the end is moved to `path` in one step.

    Args:
        path: of the file or folder to make; missing folders above it are made.
        suffix: what the yielded path ends in, by which writers know the format; "" for a folder.
        other: as for `check_free`.
        replace: whether a file that exists is replaced; otherwise it is an error.

    Raises:
        MimError: if `path` exists, or cannot be written. Then nothing is written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
            part = Path(folder) / f"part{suffix}"
            yield part
            if not replace:
                check_free(path, other)
            move_into_place(part, path)
    except OSError as error:
        raise MimError(f"{path} cannot be written: {error}. Choose another place.") from None
