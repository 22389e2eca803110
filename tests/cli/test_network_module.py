"""A network in a file of one's own, from the command line: the one of docs/networks.md."""

import hashlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
CODE = re.search(r"^```python\n(import mim_tf\n.*?)^```", PAGE.read_text(), re.M | re.S)[1]
SMALL = [
    "--img_width=8",
    "--patch_size=4",
    "--num_hidden=2,2",
    "--filter_size=3",
    "--input_length=2",
    "--total_length=4",
    "--batch_size=2",
    "--num_save_samples=0",
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with the module and frames."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my_net.py").write_text(CODE)
    frames = np.random.default_rng(0).random((12, 4, 8, 8), np.float32)
    np.save(tmp_path / "videos.npy", frames)
    np.save(tmp_path / "context.npy", frames[0, :2])
    return tmp_path


def test_the_example_is_short():
    assert len(CODE.splitlines()) < 30


@pytest.mark.slow
def test_it_is_trained_resumed_evaluated_predicted_with_and_exported(folder, mim, caplog):
    module, data = "--network_module=my_net.py", "--dataset=array"
    train = ["train", module, "--save_dir=mine", "--gen_frm_dir=pictures"]
    path = "--train_data_paths=videos.npy"
    mim(*train, "--model_name=conv_gru", data, path, *SMALL, "--max_iterations=1")
    record = json.loads((folder / "mine/run-001/run.json").read_text())
    assert record["network_module"] == {
        "path": str(folder / "my_net.py"),
        "sha256": hashlib.sha256(CODE.encode()).hexdigest(),
    }
    (folder / "my_net.py").write_text(CODE + "\n# A remark.\n")
    mim(*train, "--resume", "--max_iterations=2")
    assert "my_net.py differs from " in caplog.text
    weights = "--pretrained_model=mine/run-001/conv_gru-000002.weights.h5"
    shown = mim(
        "evaluate", module, weights, data, "--valid_data_paths=videos.npy", "--num_save_samples=0"
    )
    assert "ssim" in shown
    mim("predict", module, weights, "--input=context.npy", "--output=next.npy")
    assert np.load("next.npy").shape == (2, 8, 8, 1)
    mim("export", module, weights, "--output=served", "--nowarmup")
    assert (folder / "served/1/saved_model.pb").is_file()


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("none.py", None, "--network_module, got none.py"),
        ("net.txt", "", "--network_module, got net.txt"),
        ("net.py", "x = 1\n", "@mim_tf.register_network.*net.py"),
        ("net.py", "x = 1\nx.y\n", "net.py, line 2: AttributeError: 'int' object has no attribute"),
        ("net.py", "x = 1\nx =\n", "net.py, line 2: SyntaxError: invalid syntax"),
        ("net.py", "import nothing_at_all", "net.py, line 1: ModuleNotFoundError: No module named"),
        ("my_net.py", CODE, "conv_gru, convlstm_net, .*my_gru.*--network_module"),
    ],
)
def test_what_is_wrong_is_one_sentence(folder, error_of, path, code, words):
    if code is not None:
        (folder / path).write_text(code)
    flags = [f"--network_module={path}", "--model_name=my_gru", "--dataset=array"]
    status, message = error_of("train", *flags, "--train_data_paths=videos.npy", *SMALL)
    assert status == 1
    assert re.search(words, message)
    assert len(message.splitlines()) == 1
    assert not (folder / "checkpoints").exists()


def test_the_module_may_import_its_neighbours(folder, error_of):
    (folder / "neighbour_of_my_net.py").write_text("from my_layers_of_net import nothing")
    (folder / "net.py").write_text("import neighbour_of_my_net")
    _, message = error_of("train", "--network_module=net.py")
    assert "No module named 'my_layers_of_net'" in message
