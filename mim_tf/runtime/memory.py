"""The memory of this machine."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from mim_tf.errors import MimError

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Of the container this process is in, where it is in one: cgroups 2 and 1."""


def machine_memory() -> int | None:
    """Bytes that all processes of this machine or container have together; None if unknown."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not on this system
        return None
    for path in map(Path, _LIMITS):
        try:
            memory = min(memory, int(path.read_text()))
        except (OSError, ValueError):  # no container, or one without a limit
            continue
    return memory


@contextlib.contextmanager
def memory_errors() -> Iterator[None]:
    """Makes a `MimError` of memory that runs out in training."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise MimError(
            f"{in_words(error)} Lower batch_size, num_hidden or total_length, raise patch_size, or "
            "add --rematerialise."
        ) from None


def is_out_of_memory(error: Exception) -> bool:
    """Whether it is what NumPy, TensorFlow and JAX raise where memory runs out."""
    # Of JAX, the kind stands in the text alone.
    kind = f"{type(error).__name__} {str(error)[:200]}"
    words = ("MemoryError", "ResourceExhausted", "RESOURCE_EXHAUSTED")
    return not isinstance(error, MimError) and any(word in kind for word in words)


def in_words(error: Exception) -> str:
    """That the memory does not suffice, and what `error` says of it."""
    reason = (str(error).strip() or "no details").splitlines()[0]
    return f"The memory does not suffice ({reason:.200})."
