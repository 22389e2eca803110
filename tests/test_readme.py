"""The Python in README runs as it stands, on a smaller network."""

import re
from pathlib import Path

import imageio.v3 as imageio
import numpy as np

from mim_tf.models import registry
from tests.data_examples import levels

README = Path(__file__).parents[1] / "README.md"
SMALLER = {
    "ModelConfig(": "ModelConfig(num_hidden=(4,), filter_size=3, patch_size=8, ",
    "max_iterations=1000, test_interval=500": "max_iterations=2, batch_size=2, test_interval=2",
}


def block(containing):
    """The one Python block of README with this text."""
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    (found,) = [code for code in blocks if containing in code]
    return found


def test_own_network(monkeypatch):
    monkeypatch.setattr(registry, "_NETWORKS", dict(registry._NETWORKS))
    code = block("register_network")
    names = {}
    exec(code, names)
    frames = np.zeros((1, 11, 64, 64, 1), np.float32)
    assert names["model"](frames).shape == (1, 10, 64, 64, 1)


def test_own_data_from_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        (tmp_path / "my_videos" / name).mkdir(parents=True)
        for t in range(9):
            imageio.imwrite(tmp_path / "my_videos" / name / f"{t}.png", levels(48, 80, 3))
    code = block("my_videos")
    for text, smaller in SMALLER.items():
        assert text in code
        code = code.replace(text, smaller)
    names = {}
    exec(code, names)
    assert names["future"].shape == (2, 4, 64, 96, 3)
    assert (names["run"] / "scores" / "000002" / "scores.json").is_file()
