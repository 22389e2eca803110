import json
from pathlib import Path

import numpy as np
import pytest

from mim_tf.jobs.presets import save_preset
from mim_tf.weights.by_name import list_presets

PACKAGED = list_presets()


@pytest.fixture
def tiny(tmp_path, monkeypatch, tiny_model):
    """A preset "tiny" in MIM_TF_PRESETS."""
    monkeypatch.setenv("MIM_TF_PRESETS", str(tmp_path))
    save_preset(tiny_model, tmp_path, "tiny", "a test", half=True)
    return list_presets()["tiny"]


def test_all_are_listed(mim, tiny, tmp_path):
    printed = " ".join(mim("presets").split())
    for name, preset in [*PACKAGED.items(), ("tiny", tiny)]:
        assert f"{name}: {preset.description} {preset.parameters:,} parameters, " in printed
    assert f" MB, in {tmp_path}" in printed
    scores = PACKAGED["moving-mnist"].scores["mim2019"]
    assert f"mim2019: mse {scores.mean['mse']:.4g}" in printed


def test_a_card_says_what_is_known_and_what_is_not(mim, tiny):
    printed = mim("presets", "--card")
    ours, own = printed.split("## tiny")
    assert "| hardware | not known |" in own
    assert tiny.sha256 in own
    for text in ("`mim2019`", "persistence", "licence", "95 %"):
        assert text in ours


def test_the_page_of_cards_is_what_the_command_prints(mim):
    page = Path(__file__).parents[2] / "docs" / "presets.md"
    assert page.read_text() == mim("presets", "--card"), "mim presets --card > docs/presets.md"


def test_inspect(mim, tiny):
    assert "tiny: weights of mim" in mim("inspect", "tiny")


@pytest.mark.slow
def test_a_name_goes_where_a_path_goes(mim, tiny, tmp_path, monkeypatch, tiny_frames):
    monkeypatch.chdir(tmp_path)
    np.save("frames.npy", tiny_frames)
    weights = "--pretrained_model=tiny"
    data = [f"--{name}_data_paths={name}.npy" for name in ("train", "valid")]
    for flag in data:
        np.save(flag.partition("=")[2], tiny_frames if "train" in flag else np.flip(tiny_frames))
    mim("predict", weights, "--input=frames.npy", "--output=out.npy")
    assert np.load("out.npy").shape == (5, 3, 32, 32, 1)
    mim("evaluate", weights, "--dataset=array", *data, "--num_save_samples=0")
    record = json.loads(Path("results/test-001/run.json").read_text())
    assert record["sources"]["test"]["pretrained_model"] == str(tiny.path)
    mim("analyze", weights, "--dataset=array", *data)
    mim("export", weights, "--output=served", "--nowarmup")
    mim("train", weights, "--dataset=array", *data, "--max_iterations=1", "--batch_size=2")
    assert Path("checkpoints/run-001/mim-000001.weights.h5").is_file()


def test_an_unknown_name(error_of):
    status, message = error_of("evaluate", "--pretrained_model=moving_mnist")
    assert status == 1
    assert "Did you mean moving-mnist?" in message
