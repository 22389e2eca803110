"""One corrupted file, read in a process of its own with limits of time and memory."""

import dataclasses
import gc
import hashlib
import os
import pickle
import random
import resource
import shutil
import signal
import tempfile
import traceback
from pathlib import Path

import numpy as np

from mim_tf.errors import MimError
from tools.faults.content import MARKER, WRITERS
from tools.faults.damage import A_LONG_NAME, ANY, Kind
from tools.faults.readers import READERS

OUTCOMES = ("read", "refused", "undetectable", "traceback", "hang", "silent", "crash")
GOOD = OUTCOMES[:3]
SECONDS = 30  # a reader may start another process
MEMORY = 2**30
NOBODY = 65534
CONTENT = "other_content"


@dataclasses.dataclass(frozen=True)
class Case:
    """Damage to the file of a reader; `seed` decides which file, and which of its bytes."""

    reader: str  # key of READERS
    damage: str  # "" for none
    seed: int

    def __str__(self):
        return f"{self.reader}:{self.damage}:{self.seed}"


def choose(number: int, seed: int, names: list[str]) -> Case:
    """Return the case of this number; readers take turns."""
    draw = random.Random(f"{seed} {number}")
    damages = [*ANY, *[CONTENT] * (len(ANY) // 3)]
    return Case(names[number % len(names)], draw.choice(damages), draw.randrange(10**9))


class Bench:
    """Good examples of all readers, and what is in them.

    Args:
        folder: empty folder for all files.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        folder.chmod(0o755)
        self._paths: dict[str, Path] = {}
        self._contents: dict[str, str] = {}

    def run(self, case: Case) -> tuple[str, str]:
        """Return one of `OUTCOMES`, and the error or what is wrong."""
        if case.reader not in self._paths:
            self._prepare(case.reader)
        with tempfile.TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True) as folder:
            os.chmod(folder, 0o777)
            copy = Path(folder, "files [1]*")  # some libraries take this name for a pattern
            shutil.copytree(self._folder / "good" / case.reader, copy)
            _open_permissions(copy)
            try:
                outcome, value = _in_child(lambda: self._read(case, copy), folder)
                return self._judge(case, folder, *value) if outcome == "read" else (outcome, value)
            finally:
                _open_permissions(copy)

    def _prepare(self, name):
        folder = self._folder / "good" / name
        folder.mkdir(parents=True)
        self._paths[name] = READERS[name].make(folder).relative_to(folder)
        # Read once in this process, because a fork would repeat all imports.
        with tempfile.TemporaryDirectory(dir=self._folder) as copy:
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            READERS[name].read(Path(copy) / self._paths[name])
        # A decoder of videos waits for its threads when it is collected, and a fork has none.
        gc.collect()
        outcome, content = self.run(Case(name, "", 0))
        if outcome != "read":
            raise AssertionError(f"{name}: a good file is not read: {content}")
        self._contents[name] = content

    def _read(self, case, folder):
        """Damage a copy of the files; return a digest of what is read, and what is wrong in it."""
        path = folder / self._paths[case.reader]
        if case.damage == A_LONG_NAME:
            path = path.with_name("x" * 300 + path.suffix)
        if case.damage:
            _damage(case, folder)
        _limit(forbidden="permission" in case.damage)
        reader = READERS[case.reader]
        return _digest(reader.read(path), reader.unit)

    def _judge(self, case, folder, content, fault):
        """Judge what was read in spite of a damage."""
        if Path(folder, MARKER).exists():
            return "silent", "a pickle was loaded"
        if not case.damage:
            return "read", content
        if content == self._contents[case.reader]:
            return "read", ""
        if fault:
            return "silent", fault
        reader, kind = READERS[case.reader], ANY.get(case.damage, (Kind.CONTENT,))[0]
        allowed = {
            Kind.CHANGED: not reader.checksum,
            Kind.CUT: not reader.ends,
            Kind.CONTENT: True,
            Kind.PLACE: reader.fills and case.damage in ("a_folder", "a_link_to_the_folder"),
            Kind.MISSING: not reader.ends or len(_files(self._folder / "good" / case.reader)) > 1,
        }
        if not allowed[kind]:
            return "silent", "something else was read"
        return ("read" if kind is Kind.CONTENT else "undetectable"), ""


def _open_permissions(folder):
    folder.chmod(0o777)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o777)


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _damage(case, folder):
    draw, files = random.Random(str(case)), _files(folder)
    if case.damage != CONTENT:
        ANY[case.damage][1](draw.choice(files), draw)
    elif files := [file for file in files if (file.suffix or file.name) in WRITERS]:
        file = draw.choice(files)
        WRITERS[file.suffix or file.name](file, draw)


def _limit(forbidden):
    if forbidden and os.getuid() == 0:  # root may read everything
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _in_child(read, folder):
    """Return an outcome of `read` in a forked process, and its result or error."""
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        os.close(receive)
        with open(Path(folder, "output"), "wb", buffering=0) as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        os.chdir(folder)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        try:
            result = "read", read()
        except MimError as error:
            result = ("crash", "memory") if _took_memory(error) else ("refused", str(error))
        except BaseException:
            result = "traceback", traceback.format_exc()
        with os.fdopen(send, "wb") as pipe:
            pickle.dump(result, pipe)
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        content = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status < 0:
        return ("hang" if status == -signal.SIGALRM else "crash"), signal.Signals(-status).name
    return pickle.loads(content)


def _took_memory(error):
    """Return whether the limit of memory, not a check, stopped the reader."""
    while error:
        if isinstance(error, MemoryError):
            return True
        error = error.__context__
    return False


def _digest(value, unit):
    digest = hashlib.sha256()
    faults: list[str] = []
    _add(digest, faults, value)
    if unit and not (value.min() >= 0 and value.max() <= 1):
        faults.append("frames outside [0, 1]")
    return digest.hexdigest(), faults[0] if faults else ""


def _add(digest, faults, value):
    if isinstance(value, dict):
        value = sorted(value.items())
    if isinstance(value, list | tuple):
        digest.update(b"[%d" % len(value))
        for each in value:
            _add(digest, faults, each)
    elif isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value)
        if value.dtype.kind in "iufb":
            value = value.astype(value.dtype.newbyteorder("="))
            if not np.isfinite(value).all():
                faults.append("values that are not finite")
        digest.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
    else:
        if isinstance(value, float) and not np.isfinite(value):
            faults.append(f"{value}")
        digest.update(repr(value).encode())
