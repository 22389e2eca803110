"""Threads of TensorFlow on a CPU."""

import os


def share_cores() -> None:
    """Gives each operation half of the cores; to be called before TensorFlow is imported.

    The convolutions of a step are many and small: two at a time on half of the cores each beat one
    at a time on all of them. benchmarks/README.md has the figures.
    """
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))
