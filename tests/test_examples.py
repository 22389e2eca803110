"""The examples run, at a small size, and the notebooks show what they gave at full size."""

import base64
import importlib.util
import re
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest

from tests.eager import eagerly

EXAMPLES = Path(__file__).parents[1] / "examples"
LARGEST_PICTURE = 150_000  # bytes
DIGITS = """digits = mim_tf.build_model(
    mim_tf.ModelConfig(num_hidden=(4, 4), filter_size=3, patch_size=8, layer_norm=False)
)
mim_tf.save_weights(digits, "digits.h5")"""
NEEDED = {"radar": "pycomlink"}  # which the tests do not install

SMALLER = {
    "moving_mnist": {
        "range(320)": "range(8)",
        "epochs=3": "epochs=1",
        "range(32)": "range(4)",
        "(32, 32)": "(4, 4)",
        "gate_filters=32": "gate_filters=4",
    },
    "own_video": {
        'imread(path, plugin="pyav")': 'imread(path, plugin="pyav")[:, ::4, ::4]',
        "=48,": "=1,",
        "lr=0.01,": "lr=0.01, batch_size=2,",
        "000048": "000001",
        "num_save_samples=0": "num_save_samples=0, max_test_sequences=2",
        "range(46)": "range(4)",
        "(32, 32)": "(4, 4)",
        'digits = mim_tf.load_model("moving-mnist")': DIGITS,
        'pretrained_model="moving-mnist"': 'pretrained_model="digits.h5"',
    },
    "radar": {
        "max_test_sequences=0": "max_test_sequences=1",
        # In this process, which has imported TensorFlow already.
        'subprocess.run([sys.executable, "-m", "mim_tf", *command.split()], check=True)': (
            "from mim_tf.cli.main import main; main(command.split())"
        ),
    },
    "keras_io_memory_in_memory": {
        "TRAIN_SEQUENCES = 256": "TRAIN_SEQUENCES = 2",
        "TEST_SEQUENCES = 32": "TEST_SEQUENCES = 2",
        "EPOCHS = 3": "EPOCHS = 1",
        "FILTERS = 32": "FILTERS = 4",
        "ModelConfig()": "ModelConfig(input_length=6, total_length=10)",
        "CONTEXT = 10": "CONTEXT = 6",
    },
}


def run(name, code):
    """The names that `code`, made smaller, leaves behind."""
    for text, replacement in SMALLER[name].items():
        assert text in code
        code = code.replace(text, replacement)
    names = {}
    with pytest.MonkeyPatch.context() as patch, plt.rc_context(), eagerly():
        patch.setattr(plt, "show", plt.close)
        # Charts take as long as the training does. Their tests are in tests/report.
        patch.setattr("mim_tf.jobs.validation.write_report_or_warn", lambda folder: None)
        exec(code, names)
    return names


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
def test_notebooks_run(notebook, in_tmp):
    name, content = notebook
    if name in NEEDED and not importlib.util.find_spec(NEEDED[name]):
        pytest.skip(f"{name} needs the package {NEEDED[name]}")
    run(name, "\n".join(cell.source for cell in content.cells if cell.cell_type == "code"))


KERAS_IO = "keras_io_memory_in_memory"


def test_keras_io_header():
    code = (EXAMPLES / f"{KERAS_IO}.py").read_text()
    header = re.match(r'"""\n(.*?)\n"""\n', code, re.DOTALL)[1]
    names = [line.partition(": ")[0] for line in header.splitlines()]
    expected = ["Title", "Author", "Date created", "Last modified", "Description", "Accelerator"]
    assert names == expected


@pytest.mark.slow
def test_keras_io_example_runs_and_finds_the_leak(capsys):
    names = run(KERAS_IO, (EXAMPLES / f"{KERAS_IO}.py").read_text())
    printed = capsys.readouterr().out
    assert "5 on, with Conv3D" in printed  # frame 6 is the target of time step 5
    assert "6 on, with TimeDistributed" in printed
    assert "6 on, with MIM" in printed
    shapes = {frames.shape for frames in names["forecasts"].values()}
    assert shapes == {(2, 4, 64, 64, 1)}
