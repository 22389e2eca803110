"""One damaged file, read in a process of its own with limits of time and memory."""

import dataclasses
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
from tests.faults.content import MARKER, has_content, replace_content
from tests.faults.damage import ANY, Kind, a_folder, a_name_too_long
from tests.faults.readers import READERS

OUTCOMES = ("read", "refused", "undetectable", "traceback", "hang", "silent", "crash")
GOOD = OUTCOMES[:3]
SECONDS = 10
MEMORY = 2**30
NOBODY = 65534
CONTENT = "other_content"
_BROKEN_DAMAGE = 77


@dataclasses.dataclass(frozen=True)
class Case:
    """A damage to a reader's file.

    Attributes:
        reader: key of `READERS`.
        damage: name of the damage, "" for none.
        seed: decides which file, and which of its bytes.
    """

    reader: str
    damage: str
    seed: int

    def __str__(self):
        return f"{self.reader}:{self.damage}:{self.seed}"


class Bench:
    """Good examples of all readers, and what is in them.

    Args:
        folder: an empty one, for all the files.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        folder.chmod(0o755)
        self._paths: dict[str, Path] = {}
        self._contents: dict[str, str] = {}

    def run(self, case: Case) -> tuple[str, str]:
        """One of `OUTCOMES`, and what was said."""
        if case.reader not in self._paths:
            self._prepare(case.reader)
        good = self._folder / "good" / case.reader
        with tempfile.TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True) as folder:
            os.chmod(folder, 0o777)
            copy = Path(folder, "files [1]*")  # which some libraries take for a pattern
            shutil.copytree(good, copy)
            for path in (copy, *copy.rglob("*")):
                path.chmod(0o777)
            try:
                return self._judged(
                    case, copy, *_in_child(lambda: self._digest(case, copy), folder)
                )
            finally:
                for path in (copy, *copy.rglob("*")):
                    if not path.is_symlink():
                        path.chmod(0o777)

    def _prepare(self, name):
        folder = self._folder / "good" / name
        folder.mkdir(parents=True)
        self._paths[name] = READERS[name].make(folder).relative_to(folder)
        # What is imported when it is needed is so before the first fork.
        with tempfile.TemporaryDirectory(dir=self._folder) as copy:
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            READERS[name].read(Path(copy) / self._paths[name])
        outcome, content = self.run(Case(name, "", 0))
        if outcome != "read":
            raise AssertionError(f"{name}: a good file is not read: {content}")
        self._contents[name] = content

    def _digest(self, case, folder):
        """A digest of all that is read, and what is unsound in it."""
        path = folder / self._paths[case.reader]
        if case.damage == a_name_too_long.__name__:
            path = path.with_name("x" * 300 + path.suffix)
        if case.damage:
            _damage(case, folder)
        _limit(forbidden="permission" in case.damage)
        reader = READERS[case.reader]
        return _digest(reader.read(path), reader.unit)

    def _judged(self, case, folder, outcome, value):
        if outcome != "read":
            return outcome, value
        if (folder.parent / MARKER).exists():
            return "silent", "a pickle was loaded"
        content, fault = value
        reader, kind = READERS[case.reader], _kind(case)
        good = _files(self._folder / "good" / case.reader)
        if not case.damage:
            return "read", content
        if content == self._contents[case.reader]:
            return "read", ""
        if fault:
            return "silent", fault
        allowed = {
            Kind.CHANGED: not reader.checksum,
            Kind.CUT: not reader.ends,
            Kind.CONTENT: True,
            Kind.PLACE: reader.fills and case.damage == a_folder.__name__,
            Kind.MISSING: not reader.ends or len(good) > 1,
        }
        if not allowed[kind]:
            return "silent", "something else was read"
        return ("read" if kind is Kind.CONTENT else "undetectable"), ""


def choose(number: int, seed: int, names: list[str]) -> Case:
    """The case of this number; readers take turns."""
    draw = random.Random(f"{seed} {number}")
    damages = [*ANY, *[CONTENT] * (len(ANY) // 3)]
    return Case(names[number % len(names)], draw.choice(damages), draw.randrange(10**9))


def _kind(case):
    return ANY[case.damage][0] if case.damage in ANY else Kind.CONTENT


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _damage(case, folder):
    draw = random.Random(str(case))
    files = _files(folder)
    try:
        if case.damage == CONTENT:
            files = [file for file in files if has_content(file)]
            if files:
                replace_content(draw.choice(files), draw)
        else:
            ANY[case.damage][1](draw.choice(files), draw)
    except BaseException:
        traceback.print_exc()
        os._exit(_BROKEN_DAMAGE)


def _limit(forbidden):
    if forbidden and os.getuid() == 0:  # to whom nothing is forbidden
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _in_child(read, folder):
    """What became of `read` in a forked process: an outcome, and what goes with it."""
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
            answer = "read", read()
        except MimError as error:
            answer = ("refused", str(error)) if not _took_memory(error) else ("crash", "memory")
        except BaseException:
            answer = "traceback", traceback.format_exc()
        with os.fdopen(send, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return ("hang" if number == signal.SIGALRM else "crash"), signal.Signals(number).name
    if os.WEXITSTATUS(status) == _BROKEN_DAMAGE:
        said = Path(folder, "output").read_text(errors="replace")
        return "traceback", f"in the damage itself: {said}"
    return pickle.loads(answer)


def _took_memory(error):
    """Whether a limit, not a check, stopped what would have taken too much memory."""
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
    if isinstance(value, (list, tuple)):
        digest.update(b"[%d" % len(value))
        for each in value:
            _add(digest, faults, each)
        return
    if isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value)
        if value.dtype.kind in "iufb":
            value = value.astype(value.dtype.newbyteorder("="))
            if not np.isfinite(value).all():
                faults.append("values that are not finite")
        digest.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
        return
    if isinstance(value, float) and not np.isfinite(value):
        faults.append(f"{value}")
    digest.update(repr(value).encode())
