"""The examples run, at a small size, and the notebooks show what they gave at full size."""

import base64
import re
from pathlib import Path

import matplotlib.pyplot as plt
import nbclient
import nbformat
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
LARGEST_PICTURE = 150_000  # bytes

SMALLER = {
    "moving_mnist": {"range(320)": "range(8)", "epochs=3": "epochs=1"},
    "own_video": {"iterations=100": "iterations=2", "test_interval=100": "test_interval=2"},
    "radar": {"iterations=400": "iterations=2", "test_interval=400": "test_interval=2"},
    "keras_io_memory_in_memory": {
        "TRAIN_SEQUENCES = 256": "TRAIN_SEQUENCES = 8",
        "TEST_SEQUENCES = 32": "TEST_SEQUENCES = 2",
        "EPOCHS = 3": "EPOCHS = 1",
        "FILTERS = 32": "FILTERS = 4",
    },
}


def smaller(name, code):
    for text, replacement in SMALLER[name].items():
        assert text in code
        code = code.replace(text, replacement)
    return code


@pytest.fixture(params=sorted(path.stem for path in EXAMPLES.glob("*.ipynb")))
def notebook(request):
    """Its name and content."""
    return request.param, nbformat.read(EXAMPLES / f"{request.param}.ipynb", as_version=4)


def test_notebooks_show_their_results(notebook):
    _, content = notebook
    nbformat.validate(content)
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    pictures = [output.data["image/png"] for output in outputs if "data" in output]
    assert pictures
    assert max(len(base64.b64decode(picture)) for picture in pictures) < LARGEST_PICTURE


@pytest.mark.slow
def test_notebooks_run(notebook, tmp_path, monkeypatch):
    name, content = notebook
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))  # empty: nothing was downloaded
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    # In one go, so that a number that is no longer there is noticed.
    whole = smaller(name, "\0".join(cell.source for cell in code))
    for cell, source in zip(code, whole.split("\0"), strict=True):
        cell.source = source
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(content, timeout=600, resources=where).execute()


def keras_io_example():
    return (EXAMPLES / "keras_io_memory_in_memory.py").read_text()


def test_keras_io_header():
    header = re.match(r'"""\n(.*?)\n"""\n', keras_io_example(), re.DOTALL)[1]
    names = [line.partition(": ")[0] for line in header.splitlines()]
    expected = ["Title", "Author", "Date created", "Last modified", "Description", "Accelerator"]
    assert names == expected


@pytest.mark.slow
def test_keras_io_example_runs_and_finds_the_leak(monkeypatch, capsys):
    monkeypatch.setattr(plt, "show", plt.close)
    names = {}
    exec(smaller("keras_io_memory_in_memory", keras_io_example()), names)
    printed = capsys.readouterr().out
    assert "5 on, with Conv3D" in printed  # frame 6 is the target of time step 5
    assert "6 on, with TimeDistributed" in printed
    assert "6 on, with MIM" in printed
    shapes = {frames.shape for frames in names["forecasts"].values()}
    assert shapes == {(2, 10, 64, 64, 1)}
