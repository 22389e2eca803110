"""Keras is imported lazily; a missing backend or package is a clear error."""

import ast
import os
import re
import sys
from pathlib import Path

import pytest

from mim_tf.cli.weights import export
from mim_tf.errors import MimError
from mim_tf.prediction.forecasters import from_export
from mim_tf.runtime.optional import import_tensorflow
from mim_tf.weights.tf1 import read_checkpoint
from tests.golden_cases import golden_checkpoint
from tests.processes import printed


def python(code, *arguments):
    """Run a program on JAX, which is quicker to import, and return what it prints."""
    return printed("-c", code, *arguments, env=os.environ | {"KERAS_BACKEND": "jax"})


LAZY = """
import sys
import mim_tf
assert "keras" not in sys.modules
assert not hasattr(mim_tf, "nothing")
assert not hasattr(mim_tf.weights, "nothing")
assert "keras" not in sys.modules
print(mim_tf.layers.__name__, mim_tf.build_model.__name__)
"""


def test_keras_is_imported_when_a_name_is_used():
    assert python(LAZY) == "mim_tf.layers build_model\n"


WITHOUT = """
import os, sys
missing, os.environ["KERAS_BACKEND"] = sys.argv[1:]
for name in missing.split(","):
    sys.modules[name] = None
import mim_tf
from mim_tf.cli.main import main
try:
    mim_tf.build_model()
except ImportError as error:
    print(type(error).__name__, error)
for name in [name for name in sys.modules if name.startswith("keras")]:
    del sys.modules[name]
try:
    main(["export", "--pretrained_model=moving-mnist", "--output=a"])
except SystemExit as error:
    print(error.code)
"""


@pytest.mark.parametrize(
    ("missing", "backend", "mending"),
    [
        ("tensorflow", "tensorflow", "set KERAS_BACKEND=jax"),
        ("jax,tensorflow", "jax", "pip install jax"),
        ("torch", "torch", "set KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax"),
    ],
)
def test_a_missing_backend_is_named_in_python_and_by_commands(
    missing, backend, mending, tmp_path, monkeypatch
):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))  # as on a new machine
    first, status = python(WITHOUT, missing, backend).splitlines()
    assert first.startswith("BackendError ")
    assert mending.lower() in first.lower()
    assert status == "1"


def open_export(folder):
    (folder / "1").mkdir()
    (folder / "1" / "saved_model.pb").touch()
    from_export(folder)


@pytest.mark.parametrize(
    ("use", "purpose"),
    [
        (lambda folder: import_tensorflow("to test"), "to test"),
        (lambda folder: export(folder / "a.h5", folder), "to export a model"),
        (lambda _: read_checkpoint(golden_checkpoint("mim")), "TensorFlow is needed"),
        (open_export, "to predict with an export"),
    ],
)
def test_a_missing_package_is_named_with_its_purpose(monkeypatch, tmp_path, use, purpose):
    assert import_tensorflow("to test").__name__ == "tensorflow"
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MimError, match=purpose):
        use(tmp_path)


def test_imports_go_down_the_list_of_packages():
    root = Path(__file__).parents[1]
    page = (root / "docs" / "how_it_is_built.md").read_text()
    packages = re.findall(r"^mim_tf/(\w+)/", page, re.MULTILINE)
    climbing = [
        f"{path.relative_to(root)}: {node.module}"
        for height, package in enumerate(packages)
        for path in (root / "mim_tf" / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").split(".")[:2] in [["mim_tf", each] for each in packages[:height]]
    ]
    assert set(packages) == {path.parent.name for path in root.glob("mim_tf/*/__init__.py")}
    assert not climbing
