"""A disk of a known size, in memory."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path


class NoDiskError(Exception):
    """None can be mounted here; says why."""


@contextlib.contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """Mounts a tmpfs at `folder`, which is made.

    Raises:
        NoDiskError: if this user or system cannot.
    """
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise NoDiskError("there is no mount") from None
    except subprocess.CalledProcessError as error:
        raise NoDiskError(f"a tmpfs cannot be mounted: {error.stderr.strip()}") from None
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, left: int = 0) -> Path:
    """Makes a file that takes all room but `left` bytes, and returns its path."""
    path = disk / "filling"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(2**16))
    if left:
        os.truncate(path, max(0, path.stat().st_size - left))
    return path
