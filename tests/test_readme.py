"""The Python in README, CONTRIBUTING and on the pages runs, some of it on a smaller network."""

import re
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from mim_tf.evaluation.protocols import FRAME_SCORES
from mim_tf.models import registry
from tests.data_examples import levels
from tests.small_pictures import save_pictures

ROOT = Path(__file__).parents[1]
SMALLER = {
    "ModelConfig(": "ModelConfig(num_hidden=(4,), filter_size=3, patch_size=8, ",
    "max_iterations=1000, test_interval=500": "max_iterations=2, batch_size=2, test_interval=2",
}


def block(page, containing):
    """The one Python block of a page with this text."""
    text = (ROOT / page).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (found,) = [code for code in blocks if containing in code]
    return found


@pytest.mark.slow
def test_prediction():
    names = {}
    exec(block("README.md", "moving-mnist"), names)
    assert names["future"].shape == (2, 30, 64, 64, 1)
    truth, last = names["frames"][:, 10:], names["frames"][:, 9:10]
    error = np.square(names["future"][:, :10] - truth).mean()
    assert error < np.square(last - truth).mean()  # better than to repeat the last frame


@pytest.mark.slow
def test_training_and_saving(in_tmp):
    code = block("docs/training.md", "save_weights")
    assert "num_hidden=(64, 64)" in code
    names = {"frames": np.zeros((2, 12, 64, 64, 1), np.float32)}
    smaller = "num_hidden=(4,), filter_size=3, layer_norm=False"
    exec(code.replace("num_hidden=(64, 64)", smaller), names)
    assert names["future"].shape == (2, 30, 64, 64, 1)


def test_a_new_data_set():
    names = {}
    exec(block("CONTRIBUTING.md", "SequenceSource"), names)
    source = names["MovingColumn"]()
    frames = source.sequences([3, 5])
    assert frames.shape == (2, *source.shape)
    assert np.argmax(frames[0, :, 0, :, 0], axis=-1)[:3].tolist() == [3, 4, 5]


def test_a_new_score(monkeypatch):
    monkeypatch.setitem(FRAME_SCORES, "mim2019", dict(FRAME_SCORES["mim2019"]))
    names = {}
    exec(block("CONTRIBUTING.md", "largest_error"), names)
    truth = np.zeros((1, 1, 8, 8, 1), np.float32)
    prediction = truth.copy()
    prediction[0, 0, 2, 3] = 0.25
    names["scores"].update(truth, prediction)
    assert names["scores"].result()["mean"]["largest_error"] == 0.25


def test_own_network(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "_NETWORKS", dict(registry._NETWORKS))
    (tmp_path / "my_net.py").write_text(block("docs/networks.md", "register_network"))
    monkeypatch.syspath_prepend(tmp_path)
    names = {}
    exec(block("docs/networks.md", "import my_net"), names)
    frames = np.zeros((1, 11, 64, 64, 1), np.float32)
    assert names["model"](frames).shape == (1, 10, 64, 64, 1)


@pytest.mark.slow
def test_what_to_expect(in_tmp, capsys):
    wave = 128 + 100 * np.sin(np.arange(64)[:, None] / 5) * np.sin(np.arange(64 + 2 * 60) / 5)
    frames = np.stack([wave[:, 2 * t : 2 * t + 64] for t in range(60)]).astype(np.uint8)
    colour = np.repeat(frames[..., None], 3, axis=-1)
    imageio.imwrite(in_tmp / "bikes.mp4", colour, plugin="pyav", codec="libx264", fps=25)
    exec(block("docs/your_data.md", 'prediction="flow"'), {})
    (still, _), (moved, _) = (line.split()[-2:] for line in capsys.readouterr().out.splitlines())
    assert float(moved) < 0.5 * float(still)  # of two pixels a frame


@pytest.mark.slow
def test_own_data_from_python(in_tmp):
    for name in "abc":
        save_pictures(in_tmp / "my_videos" / name, levels(9, 48, 80, 3))
    code = block("docs/your_data.md", "my_videos")
    for text, smaller in SMALLER.items():
        assert text in code
        code = code.replace(text, smaller)
    names = {}
    exec(code, names)
    assert names["future"].shape == (2, 4, 64, 96, 3)
    assert (names["run"] / "scores" / "000002" / "scores.json").is_file()
