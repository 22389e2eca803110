"""Files and folders that a user names: opened and listed here, whatever they turn out to be.

A name may stand for a FIFO, on which opening waits for ever, a device, which never ends, a loop of
links, or nothing at all. Readers get a regular file, or the user a sentence.
"""

import contextlib
import errno
import json
import math
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from mim_tf.errors import MimError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_file(path: str | Path, kind: str = "a file") -> BufferedReader:
    """Opens a regular file to read its bytes.

    Args:
        path: of the file; links are followed.
        kind: what it is expected to be, such as "a picture".

    Raises:
        MimError: if there is none, it is something else, or it may not be read.
    """
    try:
        found = stat.S_IFMT(os.stat(path).st_mode)
        if found == stat.S_IFREG:
            return open(path, "rb")
    except (OSError, ValueError) as error:
        raise _cannot_open(path, kind, "file", error) from None
    raise MimError(
        f"{path}: expected {kind}, found {_KINDS.get(found, 'something else')}. Check the path."
    )


@contextlib.contextmanager
def opened(
    path: str | Path,
    kind: str,
    detail: str = "",
    form: str = "one",
    remedy: str = "Save or download it again.",
) -> Iterator[BufferedReader]:
    """`open_file`, and whatever goes wrong while the file is read becomes a `MimError`.

    Args:
        path: of the file.
        kind: what it is expected to be, such as "a picture".
        detail: more about that, for a file that is there but is something else.
        form: what it cannot be read as, if not simply "one".
        remedy: how to mend it.
    """
    with open_file(path, kind) as file:
        try:
            yield file
        except MimError:
            raise
        except Exception as error:  # The libraries that read files let many kinds out.
            raise MimError(
                f"{path}: expected {kind}{detail}, received a file that cannot be read as {form} "
                f"({error}). {remedy}"
            ) from None


def list_folder(folder: str | Path, kind: str = "a folder") -> list[Path]:
    """What is in a folder, sorted by name.

    Args:
        folder: to list.
        kind: what it is expected to be, such as "a folder of videos".

    Raises:
        MimError: if it is none, or may not be listed.
    """
    try:
        return sorted(Path(folder).iterdir())
    except (OSError, ValueError) as error:
        raise _cannot_open(folder, kind, "folder", error) from None


def walk(folder: str | Path, kind: str = "a folder") -> Iterator[tuple[Path, list[str]]]:
    """Each folder in `folder`, itself the first, with the names of its files, sorted.

    Links are followed, and each folder is entered once, so that loops of links end. Arguments and
    errors as for `list_folder`.
    """
    seen, waiting = set(), [Path(folder)]
    while waiting:
        current = waiting.pop()
        entries = list_folder(current, kind)
        status = os.stat(current)
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        folders = [entry for entry in entries if os.path.isdir(entry)]
        waiting += reversed(folders)
        yield current, [entry.name for entry in entries if entry not in folders]


def read_text(path: str | Path, kind: str = "a file of text") -> str:
    """The content of a file of UTF-8.

    Raises:
        MimError: as `open_file`, and if it is not UTF-8.
    """
    with opened(path, kind, form="UTF-8", remedy="Put a copy of it back.") as file:
        return file.read().decode("utf-8")


def parse_json(text: str) -> Any:
    """The content of JSON whose numbers are finite.

    Raises:
        ValueError: if it is none, as it is with NaN, Infinity and 1e999.
    """
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _finite(number):
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is no finite number")
    return value


def _cannot_open(path, kind, noun, error):
    if isinstance(error, FileNotFoundError):
        return MimError(f"{path}: expected {kind}, found no such {noun}. Check the path.")
    reason = getattr(error, "strerror", None) or error
    return MimError(
        f"{path}: expected {kind}, found a path that cannot be opened ({reason}). Check the path "
        "and its permissions."
    )


# MERGED: Files and folders that appear only once they are complete.


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
