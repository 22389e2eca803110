"""The commands on the pages run, at a small size, or stand below with the reason why not."""

import contextlib
import io
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import imageio.v3 as imageio
import keras
import numpy as np
import pytest
from absl import logging

from mim_tf import ModelConfig, build_model, load_model, save_preset, save_weights
from mim_tf.cli.main import main
from mim_tf.values.scale import LinearScale
from tests import grid_files
from tests.data_examples import levels, write_example
from tests.eager import eagerly
from tests.hko7_files import write_hko7
from tests.sevir_files import write_sevir
from tests.small_pictures import save_pictures

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"^(?:\w+=\S+ )*(?:mim \w+|python run\.py) ?.*$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

NOT_RUN = {
    "--coordinator=": "two processes train in tests/training/test_devices.py",
    "--strategy=mirrored": "two devices train in tests/training/test_devices.py",
    "KERAS_BACKEND=jax": "tests/test_backends.py",
    "model.ckpt-80000": "golden checkpoints, in tests/weights/test_tf1.py",
    "mmnist_mim_one_ep": "golden weights, in tests/weights/test_torch.py",
    "openstl.weights.h5": "golden weights, in tests/weights/test_torch.py",
    "radolan": "its data is in another package; tests/cli/test_commands.py",
    "--network_module=": "tests/cli/test_commands.py",
    "--format=onnx": "tests/serving/test_files.py",
    "--format=litert": "tests/serving/test_files.py",
}

# What these commands make the others need.
TRAINED = "python run.py --dataset=mnist --is_training=True --save_dir=checkpoints/mine"
EXPORTED = "mim export --pretrained_model=best.weights.h5 --output=served/mim --horizon=10"
WEIGHTS = "checkpoints/mine/run-001/best.weights.h5"
# Pictures of samples take as long as their scores. Their tests are in tests/evaluation.
SMALL = ["--max_test_sequences=2", "--num_save_samples=0", "--batch_size=2"]
# Other data sets refuse the flag.
WITHOUT_DIGITS = re.compile(
    "finetune|own_video|folder|array|grid|weather|hko7|human|kth|radar|sevir|taxibj"
)
# Its weights are replaced by small ones, because the graph of the network takes long to trace.
FULL_SIZE = re.compile("evaluate --pretrained_model=moving-mnist |(record|finetune|color_hour).cfg")
NETWORK = ["--num_hidden=4,4", "--filter_size=3", "--layer_norm=False", "--precision=float32"]
# Tracing the gradient takes most of the time, and what a data set's page shows is its data.
CHEAPEST = ["--model_name=convlstm_net", "--num_hidden=4", "--reverse_input=False"]
CHEAPEST += ["--prediction=frame"]
# Each frame is a part of the graph, which takes long to trace.
FEW_FRAMES = ["--input_length=3", "--total_length=5"]
SHORT = ["--max_iterations=2", "--test_interval=2", "--snapshot_interval=2", "--max_minutes=0"]
TRAIN = [*SMALL, *NETWORK, *SHORT, *FEW_FRAMES]
MORE = {
    "mim evaluate": SMALL,
    "mim score": SMALL[:2],
    "mim analyze": ["--sequences=2", "--batch_size=2"],
    "mim export": ["--nowarmup"],
}


def commands():
    """Every command in a block of a page; one that is on two pages is there once."""
    found = {
        command: None
        for page in PAGES
        for language, block in BLOCK.findall(page.read_text())
        if language in ("", "bash")
        for command in COMMAND.findall(block)
    }
    return list(found)


def small(command):
    """Environment and arguments of `command`, made small."""
    words = shlex.split(command.replace("PATH", "videos.npy"))
    variables = dict(word.split("=") for word in words if re.match(r"[A-Z_]+=", word))
    words = words[len(variables) :]
    if FULL_SIZE.search(command):
        words.append("--pretrained_model=clouds")
        variables["MIM_TF_PRESETS"] = "presets"
    digits = [] if WITHOUT_DIGITS.search(command) else ["--digits=bundled"]
    if words[0] == "mim":
        more = MORE.get(" ".join(words[:2]), [])
        reads_digits = words[1] in ("evaluate", "analyze")
        return variables, [*words, *more, *(digits if reads_digits else [])]
    more = SMALL if "--is_training=False" in words else TRAIN
    if any(word.startswith("--flagfile=") for word in words):
        more = [*TRAIN, *CHEAPEST]
    if "--train_data_paths=HKO-7" in words or "--train_data_paths=SEVIR" in words:
        more = [*more, "--img_width=48"]  # for 480 and 384
    if re.search("finetune|color_hour", command):  # the architecture is that of the weights
        more = [*SMALL, *SHORT]
    if "--resume" in words:
        more = [*more, "--max_iterations=3"]
    return variables, [str(ROOT / "run.py"), *words[2:], *more, *digits]


def run(folder, command):
    """Runs it in this process, which has imported TensorFlow already."""
    variables, arguments = small(command)
    status, printed, verbosity = 0, io.StringIO(), logging.get_verbosity()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        pytest.MonkeyPatch.context() as patch,
        eagerly("export" not in arguments),
    ):
        patch.setattr(sys, "argv", arguments)
        # Charts take as long as the training does. Their tests are in tests/report.
        for job in ("validation", "evaluate"):
            patch.setattr(f"mim_tf.jobs.{job}.write_report_or_warn", lambda folder: None)
        for name, value in variables.items():
            patch.setenv(name, value)
        try:
            if arguments[0] == "mim":
                main()
            else:
                runpy.run_path(arguments[0], run_name="__main__")
        except SystemExit as end:
            status = end.code
    logging.set_verbosity(verbosity)
    keras.backend.clear_session(free_memory=False)
    assert not status, f"{command}\n{printed.getvalue()[-2000:]}"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with all that the pages take for granted."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "experiments").symlink_to(ROOT / "experiments")
    np.save(folder / "videos.npy", levels(5, 21, 64, 64))
    np.save(folder / "frames.npy", levels(12, 64, 64))
    imageio.imwrite(folder / "clip.gif", levels(12, 64, 64))
    (folder / "my_clips").mkdir()
    shutil.copy(folder / "frames.npy", folder / "my_clips" / "clip.npy")
    for name in "abcde":
        save_pictures(folder / "my_videos" / name, levels(21, 48, 80, 3))
        (folder / "events").mkdir(exist_ok=True)
        event = np.linspace(0, 60, 21 * 64 * 64).reshape(21, 64, 64)
        np.save(folder / "events" / f"{name}.npy", event)
    for name in ("real_videos", "unseen_videos"):
        shutil.copytree(folder / "my_videos", folder / name)
    _weather(folder)
    _forecasts(folder)
    imageio.imwrite(folder / "bikes.mp4", levels(120, 64, 64, 3), plugin="pyav", codec="libx264")
    write_example("taxibj", folder / "TaxiBJ")
    write_example("human", folder / "human36m")
    write_example("kth", folder / "KTH")
    write_sevir(folder / "SEVIR", count=1, size=48)
    write_hko7(folder / "HKO-7", size=(48, 48))
    run(folder, TRAINED)
    for name in ("a", "b", "quick"):
        shutil.copytree(folder / "checkpoints" / "mine", folder / "checkpoints" / name)
    shutil.copy(folder / WEIGHTS, folder / "best.weights.h5")
    model = load_model(folder / WEIGHTS)
    save_preset(model, folder / "presets", name="clouds", description="a test")
    run(folder, EXPORTED)
    return folder


def _weather(folder):
    """Fields as WeatherBench names and lays them out, others, and weights for these."""
    years = {"2015": "2015-12-25", "2016": "2016-01-01", "2017": "2017-01-01"}
    (folder / "2m_temperature").mkdir()
    (folder / "fields").mkdir()
    for seed, (year, start) in enumerate(years.items()):
        fields = grid_files.weatherbench(40, start, seed)
        name = f"2m_temperature_{year}_5.625deg.nc"
        grid_files.write(folder / "2m_temperature" / name, fields)
    grid_files.write(folder / "fields" / "t2m.nc", grid_files.weatherbench(320, "2015-01-01", 0))
    scale = LinearScale(("K",), (280.0,), (290.0,), clipped=False, names=("t2m",))
    config = ModelConfig(
        img_width=64,
        img_height=32,
        input_length=12,
        total_length=24,
        num_hidden=(4, 4),
        filter_size=3,
        scale=scale,
    )
    save_weights(build_model(config), folder / "weather.weights.h5")


def _forecasts(folder):
    """Truth and forecasts of other programs."""
    truth = np.linspace(0, 1, 2 * 12 * 16 * 16, dtype=np.float32).reshape(2, 12, 16, 16)
    (folder / "models").mkdir()
    np.save(folder / "truth.npy", truth)
    for path in ("forecasts", "models/A", "models/B"):
        np.save(folder / f"{path}.npy", truth[:, 10:] / 2)
        if path != "forecasts":
            scored = f"results/score-001/{path[-1]}"
            run(folder, f"mim score --truth=truth.npy --prediction={path}.npy --gen_frm_dir=made")
            shutil.copytree(sorted((folder / "made").iterdir())[-1], folder / scored)
    (folder / "predicted").mkdir()
    fields = grid_files.weatherbench(320, "2015-01-01", 0)
    for start in (10, 20):
        part = fields.isel(time=slice(start, start + 3))
        grid_files.write(folder / "predicted" / f"{start}.nc", part)


def test_no_reason_is_left_over():
    everything = "\n".join(commands())
    assert all(part in everything for part in NOT_RUN)
    assert {TRAINED, EXPORTED} <= {*commands()}


@pytest.mark.slow
@pytest.mark.parametrize("command", commands())
def test_it_runs(command, workplace):
    reasons = [reason for part, reason in NOT_RUN.items() if part in command]
    if reasons:
        pytest.skip(reasons[0])
    for name in re.findall(r"=checkpoints/(\w+)/", command):  # the order of tests may be any
        if not (workplace / "checkpoints" / name).exists():
            made_by = re.compile(rf"experiments/{name}\.cfg|--save_dir=checkpoints/{name}\b")
            run(workplace, next(filter(made_by.search, commands())))
    for made in ("future.gif", "mine.gif"):  # nothing that exists is overwritten
        (workplace / made).unlink(missing_ok=True)
    if command not in (TRAINED, EXPORTED):  # which the workplace has run
        run(workplace, command)
