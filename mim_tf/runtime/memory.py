"""The memory of this machine."""

import os
from pathlib import Path

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
