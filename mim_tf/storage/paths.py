"""Paths that a user names: checked before they are opened, and written atomically.

A path may stand for a FIFO, on which opening waits for ever, a device, which never ends, or a loop
of links. Readers get a regular file, or a `MimError` that names the path.
"""

import contextlib
import errno
import glob
import json
import math
import os
import re
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
    **dict.fromkeys((stat.S_IFCHR, stat.S_IFBLK), "a device"),
}

REMEDY = "Save or download it again."

WRITING = ".writing-"
"""Start of the names of temporary folders, in which files are written before they are renamed."""


def check_no_url(text: str, is_output: bool = False) -> None:
    """Raise `MimError` for a URL. `Path` makes `https:/...` of it."""
    url = re.fullmatch(r"([a-zA-Z][a-zA-Z0-9+.-]+):/+(.*)", text, re.DOTALL)
    if url and not os.path.lexists(text):
        remedy = "download it first, and give the file"
        if url[1].lower() == "file":
            remedy = f"give /{url[2]}"
        elif is_output:
            remedy = "give a path on this machine, and upload the result"
        raise MimError(f"{url[1]}://{url[2]} is not a path; {remedy}.")


def at_home(text: str) -> str:
    """Replace the ~ at the start of paths, comma separated, by the home folder.

    Shells leave it after --flag=.
    """
    return re.sub(r"(^|,\s*)~(?=/|,|\s*$)", lambda comma: comma[1] + os.path.expanduser("~"), text)


def divided(text: str) -> list[str]:
    """Return the paths in comma separated text; text that is an existing path is one path.

    Raises `MimError` for a URL.
    """
    whole = text.strip()
    found = [whole] if os.path.lexists(whole) else [*filter(None, map(str.strip, text.split(",")))]
    for path in found:
        check_no_url(path)
    return found


def open_file(path: str | Path, kind: str = "a file") -> BufferedReader:
    """Open a regular file to read its bytes, or raise `MimError`; links are followed.

    `kind` is what the file should be, such as "a picture", for the error message.
    """
    try:
        # Opening a FIFO would block, so the kind of file is looked up first.
        found = stat.S_IFMT(os.stat(path).st_mode)
        if found == stat.S_IFREG:
            return open(path, "rb")
    except (OSError, ValueError) as error:
        raise _cannot_open(path, kind, "file", error) from None
    raise MimError(f"{path}: expected {kind}, found {_KINDS[found]}. Check the path.")


@contextlib.contextmanager
def opened(
    path: str | Path, kind: str, detail: str = "", form: str = "one", remedy: str = REMEDY
) -> Iterator[BufferedReader]:
    """Open a file as `open_file` does, and turn any error while it is read into a `MimError`.

    For its message, `detail` is more about the kind, `form` the name of the expected format and
    `remedy` what the user can do.
    """
    with open_file(path, kind) as file:
        try:
            yield file
        except MimError:
            raise
        except Exception as error:  # Libraries raise many kinds of errors for corrupted files.
            found = f"a file that cannot be read as {form} ({error})"
            raise MimError(f"{path}: expected {kind}{detail}, got {found}. {remedy}") from None


def list_folder(folder: str | Path, kind: str = "a folder") -> list[Path]:
    """Return the paths in a folder, sorted by name; raise `MimError` if it cannot be listed."""
    try:
        return sorted(Path(folder).iterdir())
    except (OSError, ValueError) as error:
        raise _cannot_open(folder, kind, "folder", error) from None


def walk(folder: str | Path, kind: str = "a folder") -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder in `folder`, itself first, with the sorted names of its files.

    Links are followed. Each folder is visited once, so loops of links end.
    """
    seen, waiting = set(), [Path(folder)]
    while waiting:
        current = waiting.pop()
        entries, real = list_folder(current, kind), os.path.realpath(current)
        if real not in seen:
            seen.add(real)
            folders = [entry for entry in entries if os.path.isdir(entry)]
            waiting += reversed(folders)
            visited = set(folders)  # a Zarr store may have tens of thousands
            yield current, [entry.name for entry in entries if entry not in visited]


def read_text(path: str | Path, kind: str = "a file of text") -> str:
    """Return the content of a UTF-8 file; raise `MimError` if it cannot be read."""
    with opened(path, kind, form="UTF-8", remedy="Restore a copy of it.") as file:
        return file.read().decode("utf-8")


def parse_json(text: str) -> Any:
    """Parse JSON whose numbers are finite; raise `ValueError` for NaN, Infinity and 1e999."""
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _finite(number):
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is not a finite number")
    return value


def _cannot_open(path, kind, noun, error):
    check_no_url(str(path))
    found = f"a path that cannot be opened ({getattr(error, 'strerror', None) or error})"
    if isinstance(error, FileNotFoundError):
        found = f"no such {noun}"
    remedy = "Patterns are for --dataset=grid." if glob.has_magic(str(path)) else "Check the path."
    return MimError(f"{path}: expected {kind}, found {found}. {remedy}")


def check_free(path: str | os.PathLike, other: str) -> None:
    """Raise `MimError` if `path` exists, or cannot; the user is told to change `other`."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:  # such as a name of more than 255 bytes
        raise MimError(f"{path} cannot be made: {error}. Give another {other}.") from None
    raise MimError(f"{path} exists already. Remove it or give another {other}.")


def check_folder(path: str | os.PathLike, flag: str) -> None:
    """Raise `MimError` if `path` cannot become a folder, because it is or lies in a file."""
    known = next(each for each in (Path(path), *Path(path).parents) if os.path.lexists(each))
    if not os.path.isdir(known):
        raise MimError(f"{known}: expected a folder for {flag}, found a file. Give another {flag}.")


def check_writable(folder: str | os.PathLike) -> None:
    """Create `folder` if it is missing; raise `MimError` if no file can be written in it."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=Path(folder)) as file:
            file.write(b"x")
    except OSError as error:
        raise MimError(f"{folder} cannot be written in: {error}. Choose another folder.") from None


@contextlib.contextmanager
def replaced_whole(path: Path, suffix: str = "") -> Iterator[Path]:
    """Yield a temporary path in the same directory; at the end it atomically replaces `path`.

    Every file of this package is written here. A process that is killed leaves the old file, and a
    temporary folder that `remove_debris` deletes. A folder replaces a folder in two steps.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=WRITING) as folder:
        part = Path(folder) / f"part{suffix}"
        yield part
        # Contents reach the disk before the rename does, and the rename before this returns, so
        # that a power cut leaves the old or the new file.
        for written in (part, *part.rglob("*")) if part.is_dir() else (part,):
            _sync(written)
        if part.is_dir() and path.is_dir():  # a folder cannot be replaced in one step
            os.replace(path, Path(folder) / "old")
        os.replace(part, path)
        _sync(path.parent)


@contextlib.contextmanager
def written_whole(
    path: str | Path, suffix: str = "", other: str = "name", replace: bool = False
) -> Iterator[Path]:
    """Yield a path as `replaced_whole`; raise `MimError` if `path` exists or cannot be written.

    The yielded path ends in `suffix`, from which writers choose the format. `other` is what the
    user can change if `path` exists, unless it may be replaced.
    """
    try:
        with replaced_whole(Path(path), suffix) as part:
            yield part
            if not replace:
                check_free(path, other)
    except OSError as error:
        raise MimError(f"{path} cannot be written: {error}. Choose another place.") from None


def _sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # Some network file systems cannot flush folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def remove_debris(folder: Path) -> None:
    """Delete temporary folders that killed processes left; nobody may be writing in `folder`."""
    for path in list_folder(folder):
        if path.name.startswith(WRITING):
            shutil.rmtree(path, ignore_errors=True)  # which refuses links
