"""Containers of fields that name other files or programs, or are not whole."""

import contextlib
import json
import pickle

import h5py
import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.storage.containers import check_grib, check_grib_opens, check_hdf5, check_zarr


def link(file, other):
    file["t"] = h5py.ExternalLink(str(other), "secret")


def link_in_a_group(file, other):
    file.create_group("a/b")["t"] = h5py.ExternalLink(str(other), "secret")


def values(file, other):
    file.create_dataset("t", (4,), "u1", external=[(str(other), 0, 4)])


def virtual(file, other):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource(other, "secret", (4,))
    file.create_virtual_dataset("t", layout)


@pytest.mark.parametrize("write", [link, link_in_a_group, values, virtual])
def test_hdf5_that_names_other_files_is_refused(tmp_path, write):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.zeros(4, np.float32)
    with h5py.File(tmp_path / "a.nc", "w") as file:
        write(file, other)
    with pytest.raises(MimError, match=r"a\.nc.*other file"):
        check_hdf5(tmp_path / "a.nc")


def test_links_inside_a_file_are_no_matter(tmp_path):
    with h5py.File(tmp_path / "a.nc", "w") as file:
        group = file.create_group("a")
        group["t"] = np.zeros(4)
        group["self"] = h5py.SoftLink("/a")
        file["hard"] = group
        group["up"] = file["/"]
    check_hdf5(tmp_path / "a.nc")


def refused(is_refused, words):
    return pytest.raises(MimError, match=words) if is_refused else contextlib.nullcontext()


def write_zarr(folder, name, metadata):
    """A store whose array "t" has metadata of this name, and nothing else."""
    array = folder / "a.zarr" / "t"
    array.mkdir(parents=True)
    (array / name).write_text(json.dumps(metadata))
    return array.parent


FILTER = {"filters": [{"id": "pickle"}], "compressor": None}
BLOSC = {"filters": None, "compressor": {"id": "blosc", "cname": "lz4"}}
SHARDS = {"name": "sharding_indexed", "configuration": {"codecs": [{"name": "numcodecs.pickle"}]}}


@pytest.mark.parametrize(
    ("name", "metadata", "is_refused"),
    [
        (".zarray", FILTER, True),
        (".zarray", {"compressor": {"id": "unknown"}}, True),
        (".zmetadata", {"metadata": {"t/.zarray": FILTER}}, True),
        ("zarr.json", {"codecs": [{"name": "bytes"}, SHARDS]}, True),
        ("zarr.json", {"consolidated_metadata": {"metadata": {"t": {"codecs": [SHARDS]}}}}, True),
        # The name of an array may end like that of attributes.
        (".zmetadata", {"metadata": {"t.zattrs": FILTER}}, True),
        (".zarray", BLOSC, False),
        ("zarr.json", {"codecs": [{"name": "bytes"}], "attributes": FILTER}, False),
        (".zmetadata", {"metadata": {"t/.zarray": BLOSC, "t/.zattrs": FILTER}}, False),
    ],
)
def test_zarr_runs_no_codec_that_makes_objects(tmp_path, name, metadata, is_refused):
    path = write_zarr(tmp_path, name, metadata)
    with refused(is_refused, f"{name}.*codecs"):
        check_zarr(path)


def zarr_metadata(version, chunk, shape=(24, 6, 8), kind=None, shard=None):
    if version == 2:
        return {"shape": shape, "chunks": chunk, "dtype": kind or "<f4", "compressor": None}
    codecs = [{"name": "bytes"}]
    if shard:
        codecs = [{"name": "sharding_indexed", "configuration": {"chunk_shape": chunk}}]
    grid = {"name": "regular", "configuration": {"chunk_shape": shard or chunk}}
    return {"shape": shape, "chunk_grid": grid, "data_type": kind or "float32", "codecs": codecs}


LONG = {"name": "fixed_length_utf32", "configuration": {"length_bytes": 2**31}}


@pytest.mark.parametrize(
    ("version", "sizes", "is_refused"),
    [
        (2, {"chunk": [24, 6, 8]}, False),
        (2, {"chunk": [1, 2**14, 2**14]}, False),  # 1 GiB
        (2, {"chunk": [1, 2**14, 2**14 + 1]}, True),
        (2, {"chunk": [24, 0, 8]}, True),
        (2, {"chunk": [0], "shape": [0]}, False),
        (2, {"chunk": [24, 6, 8], "kind": "<U99999999"}, True),
        (2, {"chunk": [24, 6, 8], "kind": [["a", "<f4"], ["b", "<U99999999"]]}, True),
        (2, {"chunk": [100], "shape": [2**28 + 1]}, True),  # missing chunks are filled
        (3, {"chunk": [1, 2**14, 2**14]}, False),
        (3, {"chunk": [2, 2**14, 2**14]}, True),
        (3, {"chunk": [1, 2**10, 2**10], "shard": [99, 2**14, 2**14]}, False),
        (3, {"chunk": [2, 2**14, 2**14], "shard": [99, 2**14, 2**14]}, True),
        (3, {"chunk": [24, 6, 8], "kind": LONG}, True),
        (3, {"chunk": [24, 6, 8], "kind": "string"}, False),
        (3, {"chunk": ["a", None]}, False),  # Zarr says so
    ],
)
@pytest.mark.parametrize("consolidated", [False, True])
def test_zarr_decompresses_no_more_than_a_gibibyte_at_once(
    tmp_path, version, sizes, is_refused, consolidated
):
    metadata = zarr_metadata(version, **sizes)
    name = ".zarray" if version == 2 else "zarr.json"
    if consolidated:
        name = ".zmetadata" if version == 2 else "zarr.json"
        metadata = {"metadata": {f"t/{name}": metadata}}
        metadata = metadata if version == 2 else {"consolidated_metadata": metadata}
    path = write_zarr(tmp_path, name, metadata)
    with refused(is_refused, name):
        check_zarr(path)


@pytest.mark.parametrize(
    ("shape", "options", "is_refused"),
    [
        ((24, 6, 8), {"chunks": (24, 2**12, 2**12), "maxshape": (None,) * 3}, True),
        ((24, 2**12, 2**12), {"chunks": (1, 2**12, 2**12)}, False),
        ((2**28 + 1,), {"chunks": (100,)}, True),
        ((2**28,), {"chunks": (100,)}, False),
        ((), {}, False),
    ],
)
def test_hdf5_decompresses_no_more_than_a_gibibyte_at_once(tmp_path, shape, options, is_refused):
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file.create_dataset("b/t", shape, "f4", **options)
        file["empty"] = h5py.Empty("f4")
    with refused(is_refused, r"a\.nc: b/t"):
        check_hdf5(tmp_path / "a.nc")


class Payload:
    def __reduce__(self):
        return open, ("ran", "w")


def test_a_pickled_coordinate_is_not_run(in_tmp):
    zarr = pytest.importorskip("zarr")
    from mim_tf.data.sets.grid.files import open_datasets

    zarr.open_group("a.zarr", mode="w", zarr_format=2)
    metadata = {"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "fill_value": None}
    metadata |= {"order": "C", "compressor": None, "filters": [{"id": "pickle"}]}
    folder = write_zarr(in_tmp, ".zarray", metadata) / "t"
    (folder / ".zattrs").write_text('{"_ARRAY_DIMENSIONS": ["t"]}')
    (folder / "0").write_bytes(pickle.dumps(np.array([Payload()], object)))
    with pytest.raises(MimError, match="pickle"):
        open_datasets(in_tmp / "a.zarr")
    assert not (in_tmp / "ran").exists()


def message(edition):
    """A message with its section 1, and 4 or 7."""
    if edition == 1:
        body = b"\0\0\x1c".ljust(28, b"\0") + b"\0\0\x0cdata data"
        return b"GRIB" + (12 + len(body)).to_bytes(3, "big") + b"\1" + body + b"7777"
    body = b"\0\0\0\x15\1".ljust(21, b"\0") + b"\0\0\0\x0e\7data data"
    return b"GRIB\0\0\0\2" + (20 + len(body)).to_bytes(8, "big") + body + b"7777"


@pytest.mark.parametrize("edition", [1, 2])
def test_grib_messages_have_to_be_whole(tmp_path, edition):
    whole = message(edition) + b"\0" * 5 + message(edition)
    path = tmp_path / "a.grib"
    path.write_bytes(whole)
    check_grib(path)
    first = len(message(edition))
    cuts = [whole[:end] for end in range(4, len(whole)) if not first <= end <= first + 5]
    # The length of section 1, one too much; eccodes itself frees memory twice.
    place = 10 if edition == 1 else 19
    longer = whole[:place] + bytes([whole[place] + 1]) + whole[place + 1 :]
    for content in (*cuts, whole[:-4] + b"777x", longer):
        path.write_bytes(content)
        with pytest.raises(MimError, match=r"a\.grib"):
            check_grib(path)


def test_eccodes_sees_only_whole_messages(tmp_path, monkeypatch):
    """It never ends where a section has no length."""
    pytest.importorskip("xarray")
    from mim_tf.data.sets.grid.files import open_all

    monkeypatch.setattr("mim_tf.data.sets.grid.files.check_grib_opens", pytest.fail)
    whole = message(2)
    path = tmp_path / "a.grib"
    path.write_bytes(whole[:16] + bytes(4) + whole[20:])
    with pytest.raises(MimError, match=r"a\.grib"):
        open_all([path])


@pytest.mark.parametrize("end", ["os.abort()", "os.kill(os.getpid(), 11)", "sys.exit(3)", "{}[0]"])
def test_eccodes_may_end_its_process(tmp_path, monkeypatch, end):
    fake = f"import os, sys\ndef open_datasets(path, **_):\n    if 'bad' in path: {end}\n"
    (tmp_path / "cfgrib.py").write_text(fake)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    check_grib_opens([])
    check_grib_opens([tmp_path / "good.grib"])
    paths = [tmp_path / name for name in ("good.grib", "bad.grib", "good too.grib")]
    # An exception, in contrast, comes again when the file is opened.
    with refused(end.startswith("os"), r"/bad\.grib"):
        check_grib_opens(paths)
