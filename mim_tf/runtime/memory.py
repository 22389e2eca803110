"""The memory of this machine, and errors of memory that runs out."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from mim_tf.errors import MimError

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files with the limit of a container: cgroups 2 and 1."""


def machine_memory() -> int | None:
    """Return the bytes of memory of this machine or container; None if unknown."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not on this system
        return None
    for path in map(Path, _LIMITS):
        with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit
            memory = min(memory, int(path.read_text()))
    return memory


@contextlib.contextmanager
def memory_errors() -> Iterator[None]:
    """Turn an out of memory error of training into a `MimError`."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        mending = "Lower batch_size, num_hidden or total_length, or add --rematerialise."
        raise MimError(f"{in_words(error)} {mending}") from None


def is_out_of_memory(error: Exception) -> bool:
    """Return whether NumPy, TensorFlow or JAX raised the error because memory ran out."""
    # JAX has no type for it; the kind is only in the text.
    kind = f"{type(error).__name__} {str(error)[:200]}"
    words = ("MemoryError", "ResourceExhausted", "RESOURCE_EXHAUSTED")
    return not isinstance(error, MimError) and any(word in kind for word in words)


def in_words(error: Exception) -> str:
    """Return the first line of an out of memory error."""
    reason = (str(error).strip() or "no details").splitlines()[0]
    return f"Out of memory ({reason:.200})."
