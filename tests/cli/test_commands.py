"""Each command on small data and weights: what it prints and makes, and what it refuses."""

import collections
import csv
import dataclasses
import hashlib
import json
import os
import sys
from pathlib import Path

import h5py
import imageio.v3 as imageio
import numpy as np
import pytest
import tensorflow as tf
import xarray as xr
from absl import logging as absl_logging

import mim_tf
from mim_tf.cli.weights import export
from mim_tf.errors import MimError
from mim_tf.evaluation.stored import write_scores
from mim_tf.jobs.presets import save_preset
from mim_tf.models import registry
from mim_tf.storage.files import write_json
from mim_tf.weights.by_name import list_presets
from tests import grid_files
from tests.data import test_radolan
from tests.data_examples import write_example
from tests.golden_cases import golden_checkpoint, load_golden
from tests.report.conftest import CONTEXT, evaluation, make_run
from tests.small_pictures import save_pictures
from tests.test_readme import block

pytestmark = pytest.mark.usefixtures("in_tmp")

DOCS = Path(__file__).parents[2] / "docs"
KINDS = ["mnist", "array", "taxibj", "radar", "human", "kth", "sevir", "hko7", "folder", "grid"]
SOUND = "Sound: every value "
SMALL = mim_tf.ModelConfig(
    model_name="convlstm_net",
    img_width=4,
    img_channel=2,
    patch_size=2,
    num_hidden=(2,),
    filter_size=3,
    input_length=2,
    total_length=5,
)


@pytest.fixture
def weights(tiny_model):
    mim_tf.save_weights(tiny_model, "mine.h5")
    return "--pretrained_model=mine.h5"


# inspect


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_data_is_recognised_described_and_shown(kind, mim, tmp_path):
    path, frames = write_example(kind, tmp_path / "data")
    printed = mim("inspect", path)
    for part in (f"--dataset={kind}", frames, SOUND):
        assert part in printed
    sheet = imageio.imread(f"inspect-{path.name}.png")
    assert sheet.shape[-1] == 3
    assert sheet.std() > 0


def test_the_data_set_can_be_given_and_its_values_declared(mim, error_of, tmp_path):
    path, _ = write_example("radar", tmp_path / "data")
    array = np.load(path / "event.npy")
    array[0, 0, 0] = np.nan
    np.save(path / "event.npy", array)
    assert "radar_missing" in error_of("inspect", path)[1]
    printed = mim("inspect", path, "--dataset=radar", "--radar_missing=nan")
    assert "missing values: 0.08%" in printed


def test_all_frame_sizes_are_listed_and_resized_to_one(mim, error_of, tmp_path):
    path, _ = write_example("folder", tmp_path / "data")
    for name in ("a.png", "b.png"):
        (path / "small").mkdir(exist_ok=True)
        imageio.imwrite(path / "small" / name, np.zeros((8, 9, 3), np.uint8))
    sizes = ("--window_stride=1", "--total_length=2")
    assert "24 x 24" in error_of("inspect", path, *sizes)[1]
    printed = mim("inspect", path, *sizes, "--resize", "--img_width=12", "--img_channel=1")
    assert "24 x 24 (20), 8 x 9 (2)" in printed
    assert "20 sequences of 2 frames, 12 x 12 x 1" in printed


def test_pictures_and_pages_of_data_are_never_replaced(mim, error_of, tmp_path):
    path, frames = write_example("mnist", tmp_path / "data")
    for name in ("inspect-clips.npz.png", "inspect-clips.npz-2.png"):
        assert name in mim("inspect", path)
    assert SOUND in mim("inspect", path, "--output=page.html")
    assert frames in Path("page.html").read_text()
    for output in ("page.html", "inspect-clips.npz.png", "page.pdf"):
        assert output in error_of("inspect", path, f"--output={output}")[1]


def test_weights_are_loaded_and_listed(mim, error_of, weights):
    printed = mim("inspect", "mine.h5")
    for part in ("weights of mim", "num_hidden: (4, 4)", "mim_block_2/from_input/kernel"):
        assert part in printed
    assert "--output" in error_of("inspect", "mine.h5", "--output=page.html")[1]


@pytest.mark.parametrize("name", ["data.npz", "data.npy", "weights.h5", "video.mp4", "no suffix"])
def test_damaged_files_are_named(name, error_of, tmp_path):
    (tmp_path / name).write_bytes(b"\x93NUMPY and nothing else")
    assert str(tmp_path / name) in error_of("inspect", tmp_path / name)[1]
    (tmp_path / "empty").mkdir()
    assert "empty" in error_of("inspect", tmp_path / "empty")[1]


# presets


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A preset "tiny" in MIM_TF_PRESETS."""
    monkeypatch.setenv("MIM_TF_PRESETS", str(tmp_path))
    frames = {"img_width": 8, "img_height": 8, "img_channel": 1}
    model = mim_tf.build_model(dataclasses.replace(SMALL, **frames))
    save_preset(model, tmp_path, "tiny", "a test", half=True)
    return list_presets()["tiny"]


def test_presets_are_listed_and_have_cards(mim, tiny, tmp_path):
    printed = " ".join(mim("presets").split())
    presets = list_presets()
    for name, preset in presets.items():
        assert f"{name}: {preset.description} {preset.parameters:,} parameters, " in printed
    assert f" MB, in {tmp_path}" in printed
    mse = presets["moving-mnist"].scores["mim2019"]["mean"]["mse"]
    assert f"mim2019: mse {mse:.4g}" in printed
    ours, own = mim("presets", "--card").split("## tiny")
    assert "| hardware | not known |" in own
    assert tiny.sha256 in own
    for text in ("`mim2019`", "persistence", "licence", "95 %"):
        assert text in ours
    assert "tiny: weights of convlstm_net" in mim("inspect", "tiny")


def test_texts_of_files_do_not_reach_the_terminal_as_they_are(mim, tiny, caplog):
    write_json(tiny.record, tiny.to_json() | {"description": "\x1b]0;title\x07 \u202e <script>|"})
    for arguments in (["presets"], ["presets", "--card"]):
        printed = mim(*arguments)
        assert not {"\x1b", "\x07", "\u202e"} & set(printed)
        assert r"\x1b]0;title\x07 \u202e" in printed
    assert r"\<script>\|" in printed


def test_the_page_of_cards_is_what_the_command_prints(mim):
    page = (DOCS / "presets.md").read_text()
    assert page == mim("presets", "--card"), "mim presets --card > docs/presets.md"


@pytest.mark.slow
def test_a_name_can_be_given_instead_of_a_path(mim, tiny):
    """For `mim predict` and `mim train`, tests/test_pages.py does so."""
    np.save("valid.npy", np.random.default_rng(0).random((5, 5, 8, 8, 1), np.float32))
    weights, data = "--pretrained_model=tiny", ["--dataset=array", "--valid_data_paths=valid.npy"]
    mim("evaluate", weights, *data, "--num_save_samples=0")
    record = json.loads(Path("results/test-001/run.json").read_text())
    assert record["sources"]["test"]["pretrained_model"] == str(tiny.path)
    assert record["sources"]["test"]["sequences"] == 5  # all, because it learnt elsewhere
    mim("analyze", weights, *data)
    mim("export", weights, "--output=served", "--nowarmup")


# report, compare, filmstrip


@pytest.fixture
def runs():
    """Two evaluations, the second with a smaller error of each sequence."""
    for name, error in (("a", 10.0), ("b", 8.0)):
        write_scores(Path(name), evaluation(error), CONTEXT)
    return ["a", "b"]


def test_tables_and_pages_of_runs(mim, error_of, runs):
    for form, start in (("latex", "\\begin{tabular}"), ("html", "<table")):
        assert mim("compare", *runs, f"--format={form}").startswith(start)
    printed = mim("compare", *runs, "--output=page.html", "--names=MIM,ConvLSTM")
    assert printed.startswith("ConvLSTM is better than MIM in MSE by 2 [")
    assert "ConvLSTM is better than MIM" in Path("page.html").read_text()
    assert str(Path("a/report.html")) in mim("report", "a")
    mim("report", "a", "--output=a.html")
    mim("filmstrip", "a", "--output=a.pdf", "--sequence=worst")
    assert Path("a.html").is_file()
    assert Path("a.pdf").is_file()
    Path("empty").mkdir()
    for arguments, status, words in (
        (["compare", *runs, "--output=page.html"], 1, "page.html"),
        (["compare"], 2, "RUN..."),
        (["compare", *runs, "--score=csi"], 1, "--score"),
        (["compare", "a", "empty"], 1, "empty"),
        (["report", "empty"], 1, "empty"),
        (["filmstrip", "a", "--output=a.pdf"], 1, "a.pdf"),
    ):
        found, message = error_of(*arguments)
        assert found == status
        assert words in message


def test_names_of_any_bytes(mim, error_of, tmp_path, monkeypatch):
    # What pytest keeps of the log has raw names, which pytest-xdist cannot send.
    monkeypatch.setattr(absl_logging.get_absl_logger(), "propagate", False)
    name = os.fsdecode(b"\xff $a_b$ [1]*(?, <script>\n\x1b[31m|")
    folders = [make_run(tmp_path / name / model, model) for model in ("mim", "predrnn")]
    folders[0] = folders[0].rename(tmp_path / name / name)
    for arguments in (
        ["report", folders[0]],
        ["compare", *folders],
        ["compare", *folders, f"--output={name}.html"],
        ["filmstrip", *folders, f"--output={name}.pdf"],
    ):
        printed = mim(*arguments)
        assert "\x1b" not in printed
        assert "\udcff" not in printed
    for path in (folders[0] / "report.html", Path(f"{name}.html")):
        assert "<script>\n\x1b" not in path.read_text()
    np.save("x" * 251 + ".npy", np.zeros((1, 2, 8, 8), np.uint8))
    assert "inspect-" + "x" * 50 in mim("inspect", "x" * 251 + ".npy")
    assert r"\udcff" in error_of("report", f"{name}.html")[1]


# analyze


def test_gates_are_analyzed_as_table_and_figure(mim, weights):
    arguments = ["--sequences=3", "--batch_size=2", "--low=0.3", "--digits=bundled"]
    printed = mim("analyze", weights, *arguments)
    assert "below 0.3 or above 0.9" in printed
    folder = Path("results/analysis-001")
    result = json.loads((folder / "inside.json").read_text())
    assert result["sequences"] == 3
    with (folder / "inside.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["what", "where", "1", "2", "3", "4", "5"]
    norms = {row[1]: [float(x) for x in row[2:]] for row in rows if row[0] == "norm"}
    assert norms["T, layer 2"] == result["norms"]["layer 2"]["T"]
    assert imageio.imread(folder / "inside.png").std() > 0


# predict


def predict(**arguments):
    return ["predict", *(f"--{name}={value}" for name, value in arguments.items())]


def test_a_folder_of_inputs_is_predicted_from_weights_read_once(
    mim, weights, tiny_model, tiny_frames, tmp_path, monkeypatch
):
    opened = []
    real = h5py.File
    monkeypatch.setattr("h5py.File", lambda *a, **k: opened.append(str(a[0])) or real(*a, **k))
    levels = np.rint(tiny_frames[0] * 255).astype(np.uint8)
    save_pictures(tmp_path / "in" / "clip", levels[..., 0])
    np.save(tmp_path / "in" / "several.npy", tiny_frames)
    given = {"pretrained_model": "mine.h5", "input": "in", "output": "out"}
    mim(*predict(**given, horizon=4, context=3, batch_size=4))
    several = mim_tf.predict(tiny_model, tiny_frames[:, 3:], 4).clip(0, 1)
    np.testing.assert_allclose(np.load("out/several.npy"), several, atol=1e-6)
    clip = mim_tf.predict(tiny_model, levels[None, 3:], 4)[0].clip(0, 1)
    np.testing.assert_allclose(np.load("out/clip.npy"), clip, atol=1e-6)
    assert opened.count("mine.h5") == 1


def test_a_folder_of_the_name_of_weights_does_not_hide_them(mim, tiny):
    Path("tiny").mkdir()
    np.save("in.npy", np.zeros((1, 4, 8, 8), np.float32))
    mim(*predict(pretrained_model="tiny", input="in.npy", output="out.npy", horizon=2))
    assert np.load("out.npy").shape == (1, 2, 8, 8, 1)


def test_a_video_of_another_rate_than_in_training(
    mim, tiny_model, tiny_frames, monkeypatch, caplog
):
    learnt = dataclasses.replace(tiny_model.config, frame_step="0.1 seconds")
    monkeypatch.setattr(tiny_model, "config", learnt)
    mim_tf.save_weights(tiny_model, "mine.h5")
    levels = np.rint(tiny_frames[0, ..., 0] * 255).astype(np.uint8)
    imageio.imwrite("clip.gif", levels, duration=50)
    given = {"pretrained_model": "mine.h5", "input": "clip.gif", "output": "new.npy", "context": 3}
    mim(*predict(**given))
    assert "0.1 seconds apart, as in training, got 0.05 seconds" in caplog.text
    caplog.clear()
    mim(*predict(**given, frame_interval=2, overwrite=True))
    assert "apart" not in caplog.text


@pytest.mark.slow
def test_fields_are_predicted_as_far_apart_as_they_were_in_training(mim):
    fields = grid_files.dataset(120, step="h")
    grid_files.write(Path("in.nc"), fields)
    sizes = "--patch_size=2 --num_hidden=2 --filter_size=3 --input_length=2 --total_length=4"
    cheap = "--model_name=convlstm_net --reverse_input=False --max_iterations=1 --batch_size=2"
    cheap += " --snapshot_interval=1 --test_interval=9 --num_save_samples=0"
    paths = "--train_data_paths=in.nc --save_dir=runs --gen_frm_dir=pictures"
    mim("train", "--dataset=grid", "--frame_interval=3", *f"{sizes} {cheap} {paths}".split())
    (weights,) = Path("runs/run-001").glob("convlstm_net-*.h5")
    printed = mim(*predict(pretrained_model=weights, input="in.nc", output="out.nc"))
    assert printed == "inputs: 1, frames predicted: 2, 3 hours apart, in out.nc\n"
    made = xr.open_dataset("out.nc")
    later = fields["time"].values[-1] + np.array([3, 6], "timedelta64[h]")
    np.testing.assert_array_equal(made["time"].values, later)


def test_predictions_as_images_and_what_is_refused(mim, error_of, weights, tiny_frames):
    np.save("frames.npy", tiny_frames[0])
    given = {"pretrained_model": "mine.h5", "input": "frames.npy", "output": "new"}
    assert mim(*predict(**given)) == "inputs: 1, frames predicted: 3, in new\n"
    assert len(list(Path("new").glob("pd*.png"))) == 3
    Path("served/1").mkdir(parents=True)
    Path("served/1/saved_model.pb").touch()
    for change, word in (
        ({"horizon": 0}, "--horizon"),
        ({"context": 7}, "7 frames"),
        ({"context": 4, "frame_interval": 2}, "got 3"),
        ({"img_channel": 3}, "--img_channel"),
        ({"pretrained_model": "."}, "mim export"),
        ({"pretrained_model": "served", "img_width": 32}, "--img_width"),
    ):
        status, message = error_of(*predict(**given | {"output": "new.npy"} | change))
        assert status in (1, 2)
        assert word in message
    assert not Path("new.npy").exists()


# convert


def test_a_checkpoint_is_converted_and_verified(mim):
    checkpoint = f"--checkpoint={golden_checkpoint('convlstm')}.index"
    flags = ["--output=a.h5", "--patch_size=2", "--total_length=30", "--verify"]
    lines = mim("convert", checkpoint, *flags).splitlines()
    assert lines[-5:] == [
        "convlstm_net: 3 layers of 4 channels, 5x5 convolutions, with layer norm, 12,212 weights",
        "frames: 16 x 16 x 1 (H x W x C) in patches of 2",
        "input_length: 10 (default: the weights do not tell)",
        "total_length: 30 (given)",
        "weights in a.h5",
    ]
    name = "conv_lstm/lstm_2/oc_weight"
    mean = tf.train.load_variable(str(golden_checkpoint("convlstm")), name).mean()
    assert f"{name} -> conv_lstm_2/peephole_o [8, 8, 4] mean {mean:.6g}" in lines
    assert len(lines) == len(load_golden("convlstm").weights) + 5


# export


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.h5"
    mim_tf.save_weights(mim_tf.build_model(SMALL), path)
    return path


def test_an_export_is_the_next_version(small, mim):
    """Two channels are no picture, so there is no predict_png."""
    Path("model/7").mkdir(parents=True)
    printed = mim("export", f"--pretrained_model={small}", "--output=model", "--nowarmup")
    assert printed == f"version 8 of the model in {Path('model/8')}\n"
    assert not Path("model/8/assets.extra").exists()
    config = json.loads(Path("model/8/assets/model_config.json").read_text())["model"]
    assert config["total_length"] == 5
    endpoints = tf.saved_model.load("model/8").signatures
    names = ["predict", "predict_uint8", "rollout", "serving_default", "start", "step"]
    assert sorted(endpoints) == names


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "dtypes"),
    # A gate kernel for the input, one for the hidden state; peepholes, biases, norms, pixels.
    [([], {tf.bfloat16: 2, tf.float32: 10}), (["--freeze"], {})],
)
def test_exported_weights_have_the_precision_of_the_flag(small, mim, arguments, dtypes):
    arguments = ["--precision=bfloat16", "--nowarmup", "--output=model", *arguments]
    mim("export", f"--pretrained_model={small}", *arguments)
    loaded = tf.saved_model.load("model/1")
    variables = loaded.signatures["predict"].variables
    assert collections.Counter(variable.dtype for variable in variables) == dtypes
    config = json.loads(Path("model/1/assets/model_config.json").read_text())["model"]
    assert config["precision"] == "bfloat16"


@pytest.mark.slow
def test_an_export_to_one_file(small, mim):
    weights = f"--pretrained_model={small}"
    mim("export", weights, "--output=model.tflite", "--format=litert")
    assert Path("model.tflite").read_bytes()[4:8] == b"TFL3"


def without_serving_api(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    for name in [name for name in sys.modules if name.startswith("tensorflow_serving.")]:
        monkeypatch.delitem(sys.modules, name)


def full_disk(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mim_tf.serving.saved_model._write", full)


@pytest.mark.parametrize(
    ("settings", "prepare", "words"),
    [
        ({"horizon": -1}, None, "horizon"),
        ({"metrics": "none"}, None, "none"),
        ({"metrics": "a.json", "format": "onnx"}, None, "--metrics"),
        ({"metrics": "a.json"}, lambda _: Path("a.json").write_text("{"), r"a\.json"),
        ({}, lambda p: p.setattr("keras.backend.backend", lambda: "jax"), "=tensorflow"),
        ({}, without_serving_api, r"mim_tf\[serving\].*--nowarmup"),
        ({}, full_disk, "No space left on device"),
        ({}, lambda _: Path("model").write_text("a file"), "model"),
        # TensorFlow takes only UTF-8.
        ({"output": os.fsdecode(b"\xff"), "warmup": False}, None, "--output"),
    ],
)
def test_an_export_that_fails_leaves_no_version(small, monkeypatch, settings, prepare, words):
    if prepare:
        prepare(monkeypatch)
    with pytest.raises(MimError, match=words):
        export(small, **{"output": "model"} | settings)
    assert not list(Path().glob("*/*"))


# --network_module: the example of docs/networks.md

CODE = block("docs/networks.md", "register_network")
BUILDER = "@mim_tf.register_network('my_gru')\ndef build(config):\n"
SIZES = ["--img_width=8", "--patch_size=4", "--num_hidden=2,2", "--filter_size=3"]
SIZES += ["--input_length=2", "--total_length=4", "--batch_size=2", "--num_save_samples=0"]


@pytest.fixture
def frames(monkeypatch, in_tmp):
    """Frames in the working directory, whose modules can be imported until the test ends."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    frames = np.random.default_rng(0).random((12, 4, 8, 8), np.float32)
    np.save("videos.npy", frames)
    np.save("context.npy", frames[0, :2])


@pytest.mark.slow
@pytest.mark.usefixtures("frames")
def test_a_network_of_ones_own_is_trained_resumed_evaluated_and_exported(mim, caplog, tmp_path):
    Path("my_net.py").write_text(CODE)
    module, data = "--network_module=my_net.py", "--dataset=array"
    train = ["train", module, "--save_dir=mine", "--gen_frm_dir=pictures"]
    path = "--train_data_paths=videos.npy"
    mim(*train, "--model_name=conv_gru", data, path, *SIZES, "--max_iterations=1")
    record = json.loads(Path("mine/run-001/run.json").read_text())
    assert record["network_module"] == {
        "path": str(tmp_path / "my_net.py"),
        "sha256": hashlib.sha256(CODE.encode()).hexdigest(),
    }
    Path("my_net.py").write_text(CODE + "\n# A remark.\n")
    mim(*train, "--resume=auto", "--max_iterations=2")
    assert "my_net.py differs from " in caplog.text
    weights = "--pretrained_model=mine/run-001/conv_gru-000002.weights.h5"
    shown = mim(
        "evaluate", module, weights, data, "--valid_data_paths=videos.npy", "--num_save_samples=0"
    )
    assert "ssim" in shown
    mim("predict", module, weights, "--input=context.npy", "--output=next.npy")
    assert np.load("next.npy").shape == (2, 8, 8, 1)
    mim("export", module, weights, "--output=served", "--nowarmup")
    assert Path("served/1/saved_model.pb").is_file()


@pytest.mark.slow
def test_weights_of_crops_score_predict_and_export_whole_fields(mim, tmp_path):
    test_radolan.write(tmp_path / "rain.nc", size=(11, 14), factor=12)
    small = "--model_name=convlstm_net --num_hidden=3 --patch_size=4 --input_length=2 --crop=8"
    short = "--total_length=3 --max_iterations=1 --batch_size=2 --max_test_sequences=2"
    paths = "--train_data_paths=rain.nc --save_dir=runs --num_save_samples=0"
    recipe = f"--flagfile={DOCS.parent / 'experiments/radolan.cfg'}"
    mim("train", recipe, "--precision=float32", *f"{small} {short} {paths}".split())
    weights = "--pretrained_model=runs/run-001/best.weights.h5"
    mim("evaluate", weights, "--crop=0", "--gen_frm_dir=pictures", "--num_save_samples=0")
    scores = json.loads(Path("pictures/test-001/scores.json").read_text())
    assert scores["data"]["shape"] == [3, 11, 14, 1]
    assert scores["mean"]["CSI_1"] is not None
    mim("predict", weights, "--input=rain.nc", "--output=matched.nc", "--probability_matching")
    with (
        xr.open_dataset("matched.nc", decode_timedelta=False) as matched,
        xr.open_dataset("rain.nc") as rain,
    ):
        values = np.unique(matched["rainfall_amount"])
        measured = np.unique(rain["rainfall_amount"][-1]) / 6  # mm in six hours
        near = np.isclose(values[:, None], measured, rtol=1e-4, atol=1e-4).any(axis=1)
        assert near[values > 0].all()
        assert matched["rainfall_amount"].shape == (1, 11, 14)
        assert matched["rainfall_amount"].attrs["units"] == "mm/h"
    mim("export", weights, "--output=served", "--nowarmup", "--img_height=11", "--img_width=14")
    served = tf.saved_model.load("served/1").signatures["predict"]
    assert served.structured_outputs["predictions"].shape[1:] == (1, 11, 14, 1)


@pytest.mark.usefixtures("frames")
@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("none.py", None, "none.py"),
        ("net.txt", "", "net.txt"),
        ("net.py", "x = 1\n", "register_network(NAME)"),
        ("net.py", "x = 1\nx.y\n", "net.py, line 2: AttributeError"),
        ("net.py", "x = 1\nx =\n", "net.py, line 2: SyntaxError"),
        ("net.py", "import sys\nsys.exit()", "net.py, line 2: SystemExit"),
        ("net.py", f"import sys, mim_tf\n{BUILDER}    sys.exit()", "sys.exit"),
        ("net.py", f"import sys, mim_tf\n{BUILDER}    return None", "my_gru"),
        ("loop.py", None, "loop.py"),
        ("net.py", "import nothing_at_all", "net.py, line 1: ModuleNotFoundError"),
        ("net.py", "import neighbour_of_my_net", "my_layers_of_net"),
        ("my_net.py", CODE, "my_gru"),
    ],
)
def test_a_wrong_network_module_is_named(error_of, path, code, words, monkeypatch):
    monkeypatch.setattr(registry, "_NETWORKS", dict(registry._NETWORKS))
    Path("neighbour_of_my_net.py").write_text("from my_layers_of_net import nothing")
    Path("loop.py").symlink_to("loop.py")
    if code is not None:
        Path(path).write_text(code)
    flags = [f"--network_module={path}", "--model_name=my_gru", "--dataset=array"]
    status, message = error_of("train", *flags, "--train_data_paths=videos.npy", *SIZES)
    assert status == 1
    assert words in message
    assert not Path("checkpoints").exists()
