"""Describe the machine of a benchmark: `python benchmarks/machine.py`."""

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "jax", "jaxlib", "numpy", "torch")


def facts() -> dict[str, str]:
    """Name -> value: date, processor, cores, memory, system, versions."""
    return {
        "date": datetime.date.today().isoformat(),
        "processor": _first("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": str(os.cpu_count()),
        "instructions": ", ".join(_instructions()) or "neither AVX-512 nor AMX",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GB",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "packages": ", ".join(_versions()),
    }


def markdown() -> str:
    """The facts as a list."""
    return "\n".join(f"- {name}: {value}" for name, value in facts().items())


def _instructions():
    flags = (_first("/proc/cpuinfo", "flags") or "").split()
    return sorted(flag for flag in flags if flag.startswith(("avx512", "amx")))


def _versions():
    for package in PACKAGES:
        try:
            yield f"{package} {importlib.metadata.version(package)}"
        except importlib.metadata.PackageNotFoundError:
            continue


def _first(path, key):
    """Value of the first line "key: value" of a file; None without one."""
    if not Path(path).exists():
        return None
    for line in Path(path).read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None


if __name__ == "__main__":
    print(markdown())
