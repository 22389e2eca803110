"""Programs in processes of their own."""

import subprocess
import sys


def printed(*arguments, **options):
    """What Python prints when it is run with these arguments; where it fails, its errors are."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout
