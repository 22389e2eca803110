"""Everything that mim_tf reads: for each reader a good example, and how it is read.

A new reader needs one line in `READERS`.
"""

import contextlib
import dataclasses
import functools
import gzip
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
from absl import flags

import mim_tf
from mim_tf.cli.flags import define_config_flags, parse
from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.data.files.arrays import ArraySource, open_npy
from mim_tf.data.files.recordings import array_recordings, list_recordings, open_recordings
from mim_tf.data.sets.human36m import open_human
from mim_tf.data.sets.moving_mnist.digits import PARTS, load_digits
from mim_tf.data.sets.moving_mnist.npz import NpzSource, write_npz
from mim_tf.data.source import filled
from mim_tf.errors import MimError
from mim_tf.evaluation.stored import read_evaluation, read_samples, write_scores
from mim_tf.inspection.recognise import open_all, recognise
from mim_tf.prediction.inputs import list_inputs, open_input
from mim_tf.report.read import read_material
from mim_tf.runs.record import read_record, write_record
from mim_tf.storage.files import CsvLog
from mim_tf.training.state import load_state, save_state
from mim_tf.weights import load_weights, save_weights
from mim_tf.weights.torch_file import read_torch
from tests import grid_files, radar_files, taxibj_files
from tests.data_examples import levels, write_example
from tests.golden_cases import GOLDEN
from tests.report.conftest import CONTEXT, evaluation, make_run
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
        ends: whether the format marks its end, so that a missing part can be noticed.
        unit: whether the result are frames, in [0, 1].
        fills: whether the format takes a missing file for missing values.
        tensorflow: whether TensorFlow reads it.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    checksum: bool = False
    ends: bool = True
    unit: bool = True
    fills: bool = False
    tensorflow: bool = False


def _written(write, name, *content, **options):
    """Return a maker of one file, by `write(path, *content, **options)`."""

    def make(folder):
        write(folder / name, *content, **options)
        return folder / name

    return make


def _in_folder(write):
    """Return a maker by `write(folder)`, which users name themselves."""
    return _written(write, "")


def _pictures(name, frames):
    return _in_folder(lambda folder: radar_files.save_pictures(folder / "clip", frames, name))


def _human_pictures(folder):
    for t in range(8):
        imageio.imwrite(folder / f"S1_Walking.5_{5 * t:06d}.png", levels(24, 24, 3))


def _idx(suffix=""):
    def write(folder):
        for part, count in (("train", 12), ("t10k", 3)):
            header = struct.pack(">IIII", 0x803, count, 28, 28)
            content = header + levels(count, 28, 28).tobytes()
            path = folder / f"{part}-images-idx3-ubyte{suffix}"
            path.write_bytes(gzip.compress(content, mtime=0) if suffix else content)

    return _in_folder(write)


def _city(**options):
    dates = taxibj_files.DATES_2013
    counts = taxibj_files.counts(len(dates), 0)
    return _written(taxibj_files.write_h5, "city_InOut.h5", counts, dates, **options)


def _radar_events(save):
    return _in_folder(lambda folder: save(folder / "event", radar_files.levels()))


def _example(kind):
    return lambda folder: write_example(kind, folder / "data")[0]


def _frames(open_source):
    """Return a reader of all frames of a source, after what `mim inspect` does first."""

    def read(path):
        with contextlib.suppress(MimError):
            recognise(path)
        source = open_source(path)
        return source.sequences(range(source.size))

    return read


def _splits(kind):
    """Return a reader of all splits of a data set, with missing values apart."""

    def read(path):
        with contextlib.suppress(MimError):
            recognise(path)
        sources = open_all(path, kind, {}, {"total_length": 4}).values()
        frames = [source.sequences(range(source.size)) for source in sources]
        return [[filled(each), np.isnan(each)] for each in frames]

    return read


_VIDEO = DataConfig("folder")
_radar = _frames(radar_files.opened)
_taxibj = _frames(taxibj_files.open_small)
_array = _frames(lambda path: open_recordings(array_recordings(path), (8, 6, 1), 4, _VIDEO))
_folder = _frames(lambda path: open_recordings(list_recordings(path), (16, 24, 3), 4, _VIDEO))
_clips = _frames(lambda path: NpzSource([path]))


def _digits(path):
    digits = load_digits(str(path))
    return [getattr(digits, part) for part in PARTS]


def _inputs(path):
    inputs = [open_input(each, (16, 24, 1)) for each in list_inputs(path)[0]]
    return np.stack([each.read(n) for each in inputs for n in range(each.count)])


@functools.cache
def _model():
    """Build the model, once and in the parent; children only load weights into it."""
    model = mim_tf.build_model(TINY)
    for seed, weight in enumerate(model.step.weights):
        weight.assign(np.random.default_rng(seed).normal(size=weight.shape))
    model.compile(optimizer="adam")
    model.optimizer.build(model.trainable_variables)
    return model


def _weights(path):
    mim_tf.weights.stored_config(path)
    load_weights(_model(), path)
    return [np.asarray(weight) for weight in _model().step.weights]


def _state(path):
    load_state(_model(), path)
    return [*map(np.asarray, [*_model().step.weights, *_model().optimizer.variables])]


def _preset(path):
    os.environ["MIM_TF_PRESETS"] = str(path)
    return _weights("tiny")


def _checkpoint(folder):
    for file in (GOLDEN / "convlstm").glob("model.ckpt-3.*"):
        shutil.copy(file, folder)
    return folder / "model.ckpt-3"


def _tf1(path):
    from mim_tf.weights.tf1 import read_checkpoint

    return [read_checkpoint(path).weights]


def _torch(name):
    source = GOLDEN.with_name("golden_torch") / name
    return _written(lambda path: shutil.copy(source, path), source.name)


def _of_torch(path):
    return [read_torch(path).arrays]


def _settings(path):
    return [dataclasses.asdict(config) for config in read_record(path)]


def _log(folder):
    log = CsvLog(folder / "train.csv", ["iteration", "loss"], 0)
    for n in range(9):
        log.append([n, n / 7])


def _scores(folder):
    write_scores(folder, evaluation(), CONTEXT)


def _evaluation(path):
    return _scores_in(read_evaluation(path, "name"))


def _scores_in(evaluation):
    # NaN stands for a score that is not defined.
    columns = {k: [filled(v), np.isnan(v)] for k, v in evaluation.per_sequence.items()}
    return [evaluation.scores, columns]


def _report(path):
    material = read_material(path)
    return [*_scores_in(material.evaluation), vars(material.samples), *material[3:]]


def _flags(path):
    values = flags.FlagValues()
    define_config_flags(DataConfig, TrainingConfig, values=values)
    parse(values, [f"--flagfile={path}"])
    data = DataConfig(values.dataset, num_digits=values.num_digits)
    return [data.dataset, data.num_digits, TrainingConfig(lr=values.lr).lr]


FLOATS = np.random.default_rng(1).random((2, 5, 8, 6), np.float32)
VIDEOS = {"frames": levels(2, 5, 8, 6)}
CLIPS = levels(2, 5, 8, 6, 1)
MNIST = {"x_train": levels(12, 28, 28), "x_test": levels(3, 28, 28)}
FRAMES, COLOURS = numbered_frames(6), levels(4, 16, 24, 3)
GREY = levels(4, 16, 24)
TAXI = {
    f"{part}_{split}": np.float32(np.random.default_rng(2).uniform(-1, 1, (3, 4, 2, 4, 4)))
    for part in "XY"
    for split in ("train", "test")
}
FLAGFILE = "--dataset=mnist\n--num_digits=3\n# Größe\n--lr=0.001\n"
MP4 = {"codec": "mpeg4", "pixels": "yuv420p"}
H264 = {"codec": "h264", "pixels": "yuv420p", "movflags": "faststart"}
SUMMED = {"checksum": True, "unit": False}

READERS: dict[str, Reader] = {
    "npy": Reader(
        _written(np.save, "a.npy", FLOATS),
        _frames(lambda path: ArraySource(open_npy(path), name=path)),
    ),
    "npy uint8": Reader(_written(np.save, "a.npy", VIDEOS["frames"]), _array),
    "npz": Reader(_written(np.savez, "a.npz", **VIDEOS), _array, checksum=True),
    "npz deflated": Reader(_written(np.savez_compressed, "a.npz", **VIDEOS), _array, checksum=True),
    "clips": Reader(_written(write_npz, "a.npz", CLIPS, 3), _clips, checksum=True),
    "clips deflated": Reader(_written(write_npz, "a.npz", CLIPS, 3, True), _clips, checksum=True),
    "digits npz": Reader(_written(np.savez, "mnist.npz", **MNIST), _digits, **SUMMED),
    "digits idx": Reader(_idx(), _digits, unit=False),
    "digits idx gz": Reader(_idx(".gz"), _digits, **SUMMED),
    "gif": Reader(_written(imageio.imwrite, "a.gif", FRAMES, plugin="pillow"), _folder),
    "mp4": Reader(_written(write_video, "a.mp4", FRAMES, **MP4), _folder),
    "mp4 faststart": Reader(_written(write_video, "a.mp4", FRAMES, **H264), _folder),
    "avi": Reader(_written(write_video, "a.avi", FRAMES), _folder),
    "mkv": Reader(_written(write_video, "a.mkv", FRAMES), _folder, ends=False),
    "png": Reader(_pictures("{}.png", COLOURS), _folder, checksum=True),
    "png palette": Reader(_pictures("{}.png", GREY), _folder, checksum=True),
    "png 16 bits": Reader(_pictures("{}.png", GREY * np.uint16(257)), _folder, checksum=True),
    "jpg": Reader(_pictures("{}.jpg", COLOURS), _folder),
    "bmp": Reader(_pictures("{}.bmp", COLOURS), _folder),
    "tiff": Reader(_pictures("{}.tif", COLOURS), _folder),
    "radar png": Reader(_radar_events(radar_files.save_pictures), _radar, checksum=True),
    "radar npy folder": Reader(_radar_events(radar_files.save_arrays), _radar),
    "radar npy": Reader(_radar_events(radar_files.save_npy), _radar),
    "radar npz": Reader(_radar_events(radar_files.save_npz), _radar, checksum=True),
    "radar npz deflated": Reader(_radar_events(radar_files.save_compressed), _radar, checksum=True),
    "taxibj h5": Reader(_city(), _taxibj),
    "taxibj h5 deflated": Reader(_city(compression="gzip", chunks=(40, 2, 3, 4)), _taxibj),
    "taxibj npz": Reader(
        _written(np.savez, "dataset.npz", **TAXI),
        _frames(lambda path: taxibj_files.open_city([path], "train", 8)),
        checksum=True,
    ),
    "sevir": Reader(_example("sevir"), _splits("sevir"), ends=False, unit=False),
    "hko7": Reader(_example("hko7"), _splits("hko7"), unit=False),
    "kth": Reader(_example("kth"), _splits("kth"), unit=False),
    "netcdf": Reader(_example("grid"), _splits("grid"), unit=False),
    "zarr": Reader(
        _written(grid_files.write, "t2m.zarr", grid_files.dataset()),
        _splits("grid"),
        unit=False,
        fills=True,
    ),
    "zarr 2": Reader(
        _written(grid_files.write, "t2m.zarr", grid_files.dataset(), zarr_format=2),
        _splits("grid"),
        unit=False,
        fills=True,
    ),
    "grib": Reader(_written(grid_files.write_grib, "a.grib", 2), _splits("grid"), unit=False),
    "grib 1": Reader(_written(grid_files.write_grib, "a.grib", 1), _splits("grid"), unit=False),
    "human36m": Reader(
        _in_folder(_human_pictures),
        _frames(lambda path: open_human(DataConfig("human", path), "train", (8, 8, 3), 3)),
        checksum=True,
    ),
    "input npy": Reader(_written(np.save, "a.npy", GREY), _inputs),
    "input pictures": Reader(_pictures("{}.png", GREY[:3]), _inputs, checksum=True),
    "weights": Reader(
        _written(lambda path: save_weights(_model(), path), "a.weights.h5"), _weights, unit=False
    ),
    "weights of Keras": Reader(
        _written(lambda path: _model().save_weights(path), "a.weights.h5"), _weights, unit=False
    ),
    "preset": Reader(
        _in_folder(lambda folder: mim_tf.save_preset(_model(), folder, "tiny", "a test")),
        _preset,
        **SUMMED,
    ),
    "training.state": Reader(
        _in_folder(lambda folder: save_state(_model(), folder)), _state, **SUMMED
    ),
    "run.json": Reader(
        _in_folder(lambda folder: write_record(folder, TINY, DataConfig(), TrainingConfig(), {})),
        _settings,
        unit=False,
    ),
    "train.csv": Reader(
        _in_folder(_log),
        lambda path: CsvLog(path / "train.csv", ["iteration", "loss"], 99).last,
        ends=False,
        unit=False,
    ),
    "scores.json": Reader(_in_folder(_scores), _evaluation, unit=False),
    "samples.npz": Reader(_in_folder(_scores), lambda path: vars(read_samples(path)), **SUMMED),
    "report": Reader(_in_folder(make_run), _report, ends=False, unit=False),
    "flagfile": Reader(
        _written(Path.write_text, "a.cfg", FLAGFILE), _flags, ends=False, unit=False
    ),
    "tf1": Reader(_checkpoint, _tf1, tensorflow=True, **SUMMED),
    "torch": Reader(_torch("openstl_convlstm/latest.pth"), _of_torch, **SUMMED),
    "torch before 1.6": Reader(_torch("openstl_predrnn/published.pth"), _of_torch, unit=False),
}
