"""The pages of docs/ and what they are about."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import mim_tf
from mim_tf import layers

DOCS = Path(__file__).parents[1] / "docs"
DOCUMENTED = re.findall(r"^::: (\S+)$", (DOCS / "api.md").read_text(), re.MULTILINE)


def test_every_public_name_is_on_the_api_page():
    public = {*mim_tf.__all__, *layers.__all__} - {"__version__"}
    assert public <= {name.rpartition(".")[2] for name in DOCUMENTED}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_it_exists_and_has_a_docstring_of_its_own(name):
    module, _, attribute = name.rpartition(".")
    thing = getattr(importlib.import_module(module), attribute)
    assert inspect.getdoc(thing)
    assert thing.__doc__


def test_every_file_that_the_pages_name_exists():
    root = DOCS.parent
    missing = [
        f"{page.name}: {path}"
        for page in [*DOCS.rglob("*.md"), root / "README.md", root / "CONTRIBUTING.md"]
        for path in re.findall(
            r"(?:mim_tf|experiments|benchmarks|tests|tools)/[\w/]+\.\w+", page.read_text()
        )
        if not (root / path).is_file()
    ]
    assert not missing


def test_the_citations_are_of_this_version():
    root = DOCS.parent
    assert f"\nversion: {mim_tf.__version__}\n" in (root / "CITATION.cff").read_text()
    assert f"{{{mim_tf.__version__}}}" in (root / "README.md").read_text()
