"""Shared parts of the benchmarks: clocks, memory, tables, and measurements in fresh processes."""

import json
import math
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
EXPERIMENTS = FOLDER.parent / "experiments"


class MeasurementError(Exception):
    """A measuring process failed; its text fits into a cell of a table."""


def timed(function) -> float:
    """Seconds a call of `function` takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def median_time(function, times: int) -> float:
    """Median seconds of several calls."""
    return statistics.median(timed(function) for _ in range(times))


def peak_gigabytes() -> float:
    """The most memory this process has had so far, in GB (2**30 bytes); Linux."""
    # Not getrusage, which begins with the peak of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 2**20


def exponent(sizes, values) -> float:
    """Slope of the least-squares line through log `values` over log `sizes`; 1: proportional."""
    x, y = ([math.log(number) for number in numbers] for numbers in (sizes, values))
    return statistics.linear_regression(x, y).slope


def row(*cells) -> None:
    """Prints a row of a Markdown table: texts as they are, numbers with three digits."""
    print("| " + " | ".join(map(_cell, cells)) + " |", flush=True)


def header(*names) -> None:
    """Prints the header of a Markdown table, after an empty line."""
    print()
    row(*names)
    print("|" + "---|" * len(names), flush=True)


def in_fresh_process(script: str, *arguments, timeout: float | None = None) -> dict:
    """Run a script of this folder and return the JSON of its last line.

    Args:
        script: its name.
        *arguments: of its command line.
        timeout: seconds after which it is ended; None: never.

    Raises:
        MeasurementError: if it fails; "out of memory" or "out of time" where that is why.
    """
    command = [sys.executable, str(FOLDER / script), *map(str, arguments)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise MeasurementError("out of time") from None
    if result.returncode:
        raise MeasurementError(_reason(result))
    return json.loads(result.stdout.splitlines()[-1])


def report(numbers: dict) -> None:
    """Prints `numbers` for `in_fresh_process`."""
    print(json.dumps(numbers), flush=True)


def _reason(result):
    errors = result.stderr.lower()
    signs = ("resource_exhausted", "resourceexhausted", "out of memory", "outofmemory", "bad_alloc")
    # Killed by signal 9: Linux does it where memory ends.
    if result.returncode == -9 or any(sign in errors for sign in signs):
        return "out of memory"
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    return f"failed: {lines[-1] if lines else f'status {result.returncode}'}".replace("|", "/")


def _cell(value):
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)
