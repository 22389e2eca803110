"""Recognition of data by `mim inspect`, and the values it counts."""

import h5py
import numpy as np
import pytest

from mim_tf.config import DataConfig
from mim_tf.data.dataset import frame_shape, open_part
from mim_tf.data.files.arrays import ArraySource
from mim_tf.data.scale_fit import ScaledSource
from mim_tf.data.source import WindowSource
from mim_tf.errors import MimError
from mim_tf.inspection.recognise import open_all, recognise
from mim_tf.inspection.survey import count_frames, describe_data, soundness, survey
from mim_tf.values.scale import LinearScale
from tests import grid_files
from tests.data_examples import write_example
from tests.sevir_files import write_sevir
from tests.small_sources import Frames, Gappy


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.npy", "array"), ("A.NPY", "array"), ("video.MP4", "folder")]
    + [(name, "weights") for name in ("mine.h5", "mine.keras", "mmnist.pth")],
)
def test_a_file_that_cannot_be_read_is_recognised_by_its_name(name, kind, tmp_path):
    (tmp_path / name).touch()
    assert recognise(tmp_path / name) == kind


@pytest.mark.parametrize("name", ["notes.txt", "no suffix"])
def test_other_files_are_refused(name, tmp_path):
    (tmp_path / name).write_text("neither weights nor data")
    with pytest.raises(MimError, match=name):
        recognise(tmp_path / name)


def test_clips_among_other_arrays_are_not_moving_mnist(tmp_path):
    np.savez(tmp_path / "many.npz", clips=np.zeros((3, 8, 8)), labels=np.arange(3), fps=25)
    assert recognise(tmp_path / "many.npz") == "array"


@pytest.mark.parametrize(
    ("kind", "name"), [("array", "A.NPY"), ("array", "A.NPZ"), ("mnist", "A.NPY")]
)
def test_suffixes_may_be_in_capitals(kind, name, tmp_path):
    with open(tmp_path / name, "wb") as file:
        (np.save if name == "A.NPY" else np.savez)(file, np.zeros((3, 5, 8, 8), np.uint8))
    assert recognise(tmp_path / name) == "array"
    data = DataConfig(kind, valid_data_paths=tmp_path / name)
    assert frame_shape(data) == (8, 8, 1)
    assert open_part(data, "test", (8, 8, 1), 5).shape == (5, 8, 8, 1)


def test_frames_of_an_array_may_be_apart_and_crops_are_left_out(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 9, 16, 16), np.uint8))
    settings = {"frame_interval": 2, "crop": 8}
    (source,) = open_all(tmp_path / "a.npy", "array", settings, {}).values()
    assert source.shape == (5, 16, 16, 1)


@pytest.mark.parametrize("kind", ["mnist", "sevir", "hko7", "kth", "radar", "grid", "folder"])
def test_data_is_recognised_and_opened(kind, tmp_path):
    path, described = write_example(kind, tmp_path / "data")
    assert recognise(path) == kind
    shape = frame_shape(DataConfig(kind, valid_data_paths=str(path)))
    for source in open_all(path, kind, {}, {}).values():
        assert described == "{} frames, {} x {} x {}".format(source.shape[0], *shape)
        assert source.shape[1:] == shape


def test_one_file_of_sevir_is_not_taken_for_weights(tmp_path):
    (_, name, *_), *_ = write_sevir(tmp_path)
    with pytest.raises(MimError, match="SEVIR"):
        recognise(tmp_path / "data" / name)


def test_arrays_in_hdf5_are_not_taken_for_weights(tmp_path):
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["videos"] = np.zeros((2, 3, 4, 5))
    with pytest.raises(MimError, match=r"v\.h5: .*got other HDF5 \(videos\).*--dataset=array"):
        recognise(tmp_path / "v.h5")


@pytest.fixture
def frames():
    frames = np.full((20, 3, 2, 2, 2), 0.5)
    frames[17, 1, 0, 0] = [0.25, 1]
    return frames


@pytest.mark.parametrize("group", ["dataset1", "image1"])  # of ODIM and of KNMI
def test_hdf5_of_radars_is_not_taken_for_weights(tmp_path, group):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file[f"{group}/data"] = np.zeros((3, 3), np.uint8)
    with pytest.raises(MimError, match=rf"a\.h5: .*{group}.*--dataset=radar"):
        recognise(tmp_path / "a.h5")


def test_survey_looks_at_every_value(frames):
    found = survey(ArraySource(frames))
    assert (found["sequences"], found["shape"]) == (20, [3, 2, 2, 2])
    assert (found["min"], found["max"]) == ([0.25, 0.5], [0.5, 1])
    assert found["mean"] == pytest.approx([0.5 - 0.25 / 240, 0.5 + 0.5 / 240])
    assert (found["missing"], found["still"]) == (0, 19)


@pytest.mark.parametrize(("highest", "sound"), [(1 / 255, False), (2 / 255, True), (0, True)])
def test_frames_that_are_nearly_black_are_not_sound(frames, highest, sound):
    source = ArraySource(frames * highest)
    assert ("Sound" in soundness({"all": source}, {"all": survey(source)})) == sound


@pytest.mark.parametrize(("difference", "grey"), [(0, True), (1 / 255, True), (2 / 255, False)])
def test_grey_stored_as_rgb_is_told(difference, grey):
    frames = np.full((4, 3, 2, 2, 3), 0.5, np.float32)
    frames[3, 2, 1, 1, 0] += difference  # one level may come of a codec
    source = ArraySource(frames)
    found = survey(source)
    assert found["grey"] is grey
    assert ("--img_channel=1" in describe_data("all", source, found)) is grey
    assert not survey(ArraySource(frames[..., :1]))["grey"]
    source.scale = LinearScale("kg", 0, 1)  # three variables, which may be small
    assert not survey(source)["grey"]


def test_missing_values_are_counted_and_left_out(frames):
    frames[3, :, :, :, 0] = 0
    found = survey(Gappy(frames), bins=4)
    assert found["min"] == [0.25, 0.5]
    assert found["missing"] == pytest.approx(12 / 480)
    # 0.25 is in the second bin, 0.5 in the third.
    assert found["histogram"] == [[0, 1, 227, 0], [0, 0, 239, 1]]
    frames[..., 1] = 0
    found = survey(Gappy(frames))
    assert found["min"][1] is found["mean"][1] is found["max"][1] is None


def test_frames_in_no_sequence_are_counted(frames):
    both = [Frames(np.zeros((length, 2, 2, 1)), f"{length}") for length in (49, 24)]
    source = WindowSource(both, (2, 2, 1), 25, 25)
    assert count_frames([source]) == (73, 48)
    assert "48 of 73 frames" in soundness({"train": source}, {})
    # What a split leaves out, another may have.
    rest = WindowSource(both, (2, 2, 1), 24, starts=[(0, 25), (1, 0)])
    scaled = ScaledSource(rest, LinearScale("K", 0, 9))
    assert count_frames([source, scaled]) == (73, 0)
    assert "every value was read" in soundness({"train": source, "valid": scaled}, {})
    assert count_frames([ArraySource(frames)]) == (0, 0)


@pytest.mark.parametrize(
    ("value", "is_marker"),
    [
        *(
            (marker, True)
            for marker in (-999, 1e20, -9999.9, -32767, 1e15, 9.999e20, -9.99e8, -1e34)
        ),
        (-12.5, False),
    ],
)
def test_a_number_that_often_marks_missing_values_is_not_sound(tmp_path, value, is_marker, caplog):
    fields = grid_files.dataset(30)[["u10"]]
    fields["u10"][3, 1, 2] = value  # which nothing declares
    path = grid_files.write(tmp_path / "a.nc", fields)
    sources = open_all(path, "grid", {}, {})
    text = soundness(sources, {name: survey(source) for name, source in sources.items()})
    assert ("marks missing values" in text, "Sound" in text) == (is_marker, not is_marker)
    open_part(DataConfig("grid", str(path)), "train", (6, 8, 1), 4)
    assert ("marks missing values" in caplog.text) == is_marker
