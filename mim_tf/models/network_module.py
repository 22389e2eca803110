"""Networks of one's own, registered in a Python file that is not part of the package."""

import hashlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path

from mim_tf.errors import MimError
from mim_tf.models.registry import builder_of, registered


def import_network_module(path: str) -> None:
    """Runs a Python file that registers networks, which may import others from its folder.

    Args:
        path: of the file.

    Raises:
        MimError: if there is none, it fails, or it registers no network.
    """
    file = Path(path).resolve()
    if file.suffix != ".py" or not os.path.isfile(file):
        found = "no Python file" if os.path.lexists(file) else "nothing"
        raise MimError(f"network_module must be a Python file, FILE.py, found {found} at {path}.")
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    before = registered()
    name = f"network_module_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:  # not for .py files
        raise ImportError(file)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise MimError(f"{_place(error, file)}: {type(error).__name__}: {error}") from error
    after = registered()
    if not any(after[each] is not before.get(each) for each in after):
        raise MimError(
            f"{path} registers no network: expected a function with @mim_tf.register_network(NAME) "
            "above it."
        )


def _place(error, file):
    """File and line that an error is about, the last of `file` where it is about none."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{error.filename}, line {error.lineno}"
    trace = traceback.extract_tb(error.__traceback__)
    lines = [at.lineno for at in trace if at.filename == str(file)]
    return f"{file}, line {lines[-1]}" if lines else str(file)


def source_of(model_name: str) -> dict[str, str] | None:
    """Path and SHA-256 of the file of a network that is not of this package; None where none is.

    Raises:
        MimError: if there is no network of that name.
    """
    module = builder_of(model_name).__module__
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or module.startswith("mim_tf."):
        return None
    path = Path(file).resolve()
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
