"""Everything that mim_tf reads: for each reader a good example, and how it is read.

A new reader enters by one line of `READERS`.
"""

import contextlib
import dataclasses
import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
from absl import flags

import mim_tf
from mim_tf.cli.flags import define_config_flags, parse
from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.data.files.arrays import ArraySource, open_array
from mim_tf.data.files.recordings import array_recordings, list_recordings, open_recordings
from mim_tf.data.sets.human36m import open_human36m
from mim_tf.data.sets.moving_mnist.digits import PARTS, load_digits
from mim_tf.data.sets.moving_mnist.npz import NpzSource, write_npz
from mim_tf.errors import MimError
from mim_tf.evaluation.stored import read_evaluation
from mim_tf.inspection.recognise import open_all, recognise
from mim_tf.prediction.inputs import list_inputs, open_input
from mim_tf.report.read import read_material, read_samples
from mim_tf.runs.record import read_record, write_record
from mim_tf.storage.files import CsvLog
from mim_tf.training.state import load_state, save_state
from mim_tf.weights import load_weights, save_weights
from tests import grid_files, radar_files, taxibj_files
from tests.data_examples import write_example
from tests.golden_cases import GOLDEN
from tests.small_videos import numbered_frames, write_video

TINY = ModelConfig(
    img_width=16, patch_size=4, num_hidden=(2,), filter_size=3, input_length=2, total_length=4
)


@dataclasses.dataclass(frozen=True)
class Reader:
    """How a kind of file or folder is made and read.

    Attributes:
        make: writes a good example into an empty folder, and returns the path a user would name.
        read: reads such a path; returns all that it holds, in containers and arrays.
        checksum: whether the format has one over all of its content, so that every change that
            matters can be noticed.
        ends: whether the format tells where it ends, so that a missing part can be noticed.
        unit: whether what is read are frames, in [0, 1].
        fills: whether the format takes a file that is missing for missing values.
        tensorflow: whether TensorFlow reads it.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    checksum: bool = False
    ends: bool = True
    unit: bool = True
    fills: bool = False
    tensorflow: bool = False


def levels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, shape, np.uint8)


def _saved(write, name, content):
    """A maker of one file: `write(path, content)`."""

    def make(folder):
        write(folder / name, content)
        return folder / name

    return make


def _all(source):
    return source.sequences(range(source.size))


def _recognised(read):
    """`read`, and before it what `mim inspect` does first."""

    def both(path):
        with contextlib.suppress(MimError):
            recognise(path)
        return read(path)

    return both


@_recognised
def _npy(path):
    return _all(ArraySource(open_array(path), name=path))


@_recognised
def _array(path):
    return _windows(array_recordings(path), (8, 6, 1))


@_recognised
def _folder(path):
    return _windows(list_recordings(path), (16, 24, 3))


def _windows(recordings, shape):
    return _all(open_recordings(recordings, shape, 4, DataConfig("folder")))


@_recognised
def _clips(path):
    return _all(NpzSource([path]))


@_recognised
def _radar(path):
    return _all(radar_files.opened(path))


@_recognised
def _taxibj(path):
    return _all(taxibj_files.open_small(path))


@_recognised
def _taxibj_npz(path):
    return _all(taxibj_files.open_city([path], "train", 8))


def _archive(kind):
    """A maker and a reader of the example of a data set."""

    def make(folder):
        path, _ = write_example(kind, folder / "data")
        return path

    @_recognised
    def read(path):
        sources = open_all(path, kind, {}, {"total_length": 4})
        every = ((source, range(source.size)) for source in sources.values())
        return [source.sequences(i) for source, i in every]

    return make, read


def _saved_zarr(folder):
    return grid_files.write(folder / "t2m.zarr", grid_files.dataset())


@_recognised
def _human(path):
    return _all(open_human36m([path], "train", 3, 8, 8))


def _digits(path):
    digits = load_digits(str(path))
    return [getattr(digits, part) for part in PARTS]


def _inputs(path):
    found, _ = list_inputs(path)
    inputs = [open_input(each, (16, 24, 1)) for each in found]
    return np.stack([each.read(n) for each in inputs for n in range(each.count)])


def _model():
    # Built in the parent, as the same for all; children only fill it.
    if not _MODELS:
        model = mim_tf.build_model(TINY)
        for seed, weight in enumerate(model.step.weights):
            weight.assign(np.random.default_rng(seed).normal(size=weight.shape))
        model.compile(optimizer="adam")
        model.optimizer.build(model.trainable_variables)
        _MODELS.append(model)
    return _MODELS[0]


_MODELS: list[Any] = []


def _weights_of(model):
    return [np.asarray(weight) for weight in model.step.weights]


def _weights(path):
    model = _model()
    mim_tf.weights.stored_config(path)
    load_weights(model, path)
    return _weights_of(model)


def _state(path):
    model = _model()
    load_state(model, path)
    return [*_weights_of(model), *map(np.asarray, model.optimizer.variables)]


def _preset(path):
    os.environ["MIM_TF_PRESETS"] = str(path)
    return _weights("tiny")


def _make_preset(folder):
    mim_tf.save_preset(_model(), folder, "tiny", "a test")
    return folder


def _saved_weights(folder):
    save_weights(_model(), folder / "tiny.weights.h5")
    return folder / "tiny.weights.h5"


def _saved_by_keras(folder):
    _model().save_weights(folder / "tiny.weights.h5")
    return folder / "tiny.weights.h5"


def _checkpoint(folder):
    for file in (GOLDEN / "convlstm").glob("model.ckpt-3.*"):
        shutil.copy(file, folder)
    return folder / "model.ckpt-3"


def _tf1(path):
    from mim_tf.weights.tf1 import read_checkpoint

    return [read_checkpoint(path).weights]


def _run(folder):
    write_record(folder, TINY, DataConfig(), TrainingConfig(), {})
    return folder


def _settings(path):
    return [dataclasses.asdict(config) for config in read_record(path)]


def _log(folder):
    log = CsvLog(folder / "train.csv", ["iteration", "loss"], 0)
    for n in range(9):
        log.append([n, n / 7])
    return folder


def _rows(path):
    return CsvLog(path / "train.csv", ["iteration", "loss"], 99).last


def _scores(folder):
    """A run with two evaluations, the first of them the best."""
    content = {
        "sequences": 3,
        "mean": {"mse": 0.5},
        "per_frame": {"mse": [0.25, 0.75]},
        "intervals": {"mse": [0.25, 0.75]},
        "protocol": "mim2019",
        "input_length": 2,
        "data": {"sha256": "0" * 64},
    }
    parts = {name: content[name] for name in ("mean", "per_frame")}
    content["baselines"] = {"persistence": parts}
    for iteration in (5, 10):
        evaluation = folder / "scores" / f"{iteration:06d}"
        evaluation.mkdir(parents=True)
        (evaluation / "scores.json").write_text(json.dumps(content))
        (evaluation / "per_sequence.csv").write_text("sequence,mse\n0,0.5\n1,0.25\n2,0.75\n")
        frames = np.ones((2, 2, 4, 4, 1), np.uint8)
        samples = {"truth": frames, "forecast": frames, "index": [0, 1], "kind": ["best", "worst"]}
        np.savez_compressed(evaluation / "samples.npz", **samples, error_map=np.ones((2, 4, 4)))
    (folder / "best.json").write_text(json.dumps({"iteration": 5, "mse": 0.5}))
    return folder


def _evaluation(path):
    evaluation = read_evaluation(path, "name")
    return [evaluation.scores, evaluation.per_sequence]


def _material(path):
    material = read_material(path)
    parts = [material.samples, material.record, material.log, material.validations]
    return [material.evaluation.scores, material.evaluation.per_sequence, *parts]


def _samples(path):
    return read_samples(path / "scores" / "000005")


def _flagfile(folder):
    (folder / "tiny.cfg").write_text("--dataset=mnist\n--num_digits=3\n# Größe\n--lr=0.001\n")
    return folder / "tiny.cfg"


def _flags(path):
    values = flags.FlagValues()
    define_config_flags(DataConfig, TrainingConfig, values=values)
    parse(values, [f"--flagfile={path}"])
    data, training = (
        DataConfig(values.dataset, num_digits=values.num_digits),
        TrainingConfig(lr=values.lr),
    )
    return [data.dataset, data.num_digits, training.lr]


def _pictures(name, frames=None):
    frames = levels(4, 16, 24, 3) if frames is None else frames

    def make(folder):
        (folder / "clip").mkdir()
        for n, frame in enumerate(frames):
            imageio.imwrite(folder / "clip" / name.format(n), frame)
        return folder

    return make


def _radar_events(save):
    def make(folder):
        save(folder / "event", radar_files.levels())
        return folder

    return make


def _city(name="city_InOut.h5", **options):
    dates = taxibj_files.DATES_2013
    counts = taxibj_files.counts(len(dates), 0)
    return lambda folder: taxibj_files.write_h5(folder / name, counts, dates, **options)


def _human_pictures(folder):
    for t in range(8):
        imageio.imwrite(folder / f"S1_Walking.5_{5 * t:06d}.png", levels(24, 24, 3))
    return folder


def _idx(suffix=""):
    def make(folder):
        for part, count in (("train", 12), ("t10k", 3)):
            path = folder / f"{part}-images-idx3-ubyte{suffix}"
            header = b"\x00\x00\x08\x03" + np.array([count, 28, 28], ">u4").tobytes()
            content = header + levels(count, 28, 28).tobytes()
            path.write_bytes(gzip.compress(content, mtime=0) if suffix else content)
        return folder

    return make


def _npz(path, arrays):
    np.savez(path, **arrays)


def _npz_compressed(path, arrays):
    np.savez_compressed(path, **arrays)


def _video(codec, pixels, **options):
    return lambda path, frames: write_video(path, frames, codec, pixels, **options)


def _gif(path, frames):
    imageio.imwrite(path, frames, plugin="pillow", extension=".gif")


VIDEOS = {"frames": levels(2, 5, 8, 6)}
FLOATS = np.random.default_rng(1).random((2, 5, 8, 6), np.float32)
MNIST = {"x_train": levels(12, 28, 28), "x_test": levels(3, 28, 28)}
TAXI = {
    f"{part}_{split}": np.float32(np.random.default_rng(2).uniform(-1, 1, (3, 4, 2, 4, 4)))
    for part in "XY"
    for split in ("train", "test")
}
CLIPS = levels(2, 5, 8, 6, 1)
FRAMES = numbered_frames(6)

READERS: dict[str, Reader] = {
    "npy": Reader(_saved(np.save, "a.npy", FLOATS), _npy),
    "npy uint8": Reader(_saved(np.save, "a.npy", VIDEOS["frames"]), _array),
    "npz": Reader(_saved(_npz, "a.npz", VIDEOS), _array, checksum=True),
    "npz deflated": Reader(_saved(_npz_compressed, "a.npz", VIDEOS), _array, checksum=True),
    "clips": Reader(_saved(lambda p, c: write_npz(p, c, 3), "a.npz", CLIPS), _clips, checksum=True),
    "clips deflated": Reader(
        _saved(lambda p, c: write_npz(p, c, 3, True), "a.npz", CLIPS), _clips, checksum=True
    ),
    "digits npz": Reader(_saved(_npz, "mnist.npz", MNIST), _digits, checksum=True, unit=False),
    "digits idx": Reader(_idx(), _digits, unit=False),
    "digits idx gz": Reader(_idx(".gz"), _digits, checksum=True, unit=False),
    "gif": Reader(_saved(_gif, "a.gif", FRAMES), _folder),
    "mp4": Reader(_saved(_video("mpeg4", "yuv420p"), "a.mp4", FRAMES), _folder),
    "mp4 faststart": Reader(
        _saved(_video("h264", "yuv420p", movflags="faststart"), "a.mp4", FRAMES), _folder
    ),
    "avi": Reader(_saved(_video("ffv1", "bgr0"), "a.avi", FRAMES), _folder),
    "mkv": Reader(_saved(_video("ffv1", "bgr0"), "a.mkv", FRAMES), _folder, ends=False),
    "png": Reader(_pictures("{}.png"), _folder, checksum=True),
    "png palette": Reader(_pictures("{}.png", levels(4, 16, 24)), _folder, checksum=True),
    "png 16 bits": Reader(
        _pictures("{}.png", levels(4, 16, 24) * np.uint16(257)), _folder, checksum=True
    ),
    "jpg": Reader(_pictures("{}.jpg"), _folder),
    "bmp": Reader(_pictures("{}.bmp"), _folder),
    "tiff": Reader(_pictures("{}.tif"), _folder),
    "radar png": Reader(_radar_events(radar_files.save_pictures), _radar, checksum=True),
    "radar npy folder": Reader(_radar_events(radar_files.save_arrays), _radar),
    "radar npy": Reader(_radar_events(radar_files.save_npy), _radar),
    "radar npz": Reader(_radar_events(radar_files.save_npz), _radar, checksum=True),
    "radar npz deflated": Reader(_radar_events(radar_files.save_compressed), _radar, checksum=True),
    "taxibj h5": Reader(_city(), _taxibj),
    "taxibj h5 deflated": Reader(_city(compression="gzip", chunks=(40, 2, 3, 4)), _taxibj),
    "taxibj npz": Reader(_saved(_npz, "dataset.npz", TAXI), _taxibj_npz, checksum=True),
    "sevir": Reader(*_archive("sevir"), ends=False, unit=False),
    "hko7": Reader(*_archive("hko7"), unit=False),
    "kth": Reader(*_archive("kth"), unit=False),
    "netcdf": Reader(*_archive("grid"), unit=False),
    "zarr": Reader(_saved_zarr, _archive("grid")[1], unit=False, fills=True),
    "human36m": Reader(_human_pictures, _human, checksum=True),
    "input npy": Reader(_saved(np.save, "a.npy", levels(4, 16, 24)), _inputs),
    "input pictures": Reader(_pictures("{}.png", levels(3, 16, 24)), _inputs, checksum=True),
    "weights": Reader(_saved_weights, _weights, unit=False),
    "weights of Keras": Reader(_saved_by_keras, _weights, unit=False),
    "preset": Reader(_make_preset, _preset, checksum=True, unit=False),
    "training.state": Reader(
        lambda folder: save_state(_model(), folder) or folder, _state, checksum=True, unit=False
    ),
    "run.json": Reader(_run, _settings, unit=False),
    "train.csv": Reader(_log, _rows, ends=False, unit=False),
    "scores.json": Reader(_scores, _evaluation, unit=False),
    "samples.npz": Reader(_scores, _samples, checksum=True, unit=False),
    "report": Reader(lambda folder: _log(_run(_scores(folder))), _material, ends=False, unit=False),
    "flagfile": Reader(_flagfile, _flags, ends=False, unit=False),
    "tf1": Reader(_checkpoint, _tf1, checksum=True, unit=False, tensorflow=True),
}
