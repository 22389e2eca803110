import os
import zipfile

import numpy as np
import pytest

from mim_tf.data.files import npz_member
from mim_tf.data.files.npz_member import member_keys, read_member
from mim_tf.errors import MimError


def test_stored_members_are_compared_with_their_checksum(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, frames=np.zeros(50_000, np.uint8))
    content = bytearray(path.read_bytes())
    content[40_000] = 6
    path.write_bytes(content)
    with pytest.raises(MimError, match=r"a\.npz: expected a \.npz file .*Bad CRC-32"):
        read_member(path, "frames")
    assert read_member(path, "frames", check=False).max() == 6


def test_the_checksum_is_looked_at_once_a_content(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, frames=np.arange(99, dtype=np.uint8))
    read_member(path, "frames")
    misses = npz_member._check_crc.cache_info().misses
    read_member(path, "frames")
    assert npz_member._check_crc.cache_info().misses == misses
    os.utime(path, (1, 1))
    read_member(path, "frames")
    assert npz_member._check_crc.cache_info().misses == misses + 1


def test_two_members_of_one_name(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, frames=np.zeros(3))
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("frames.npy", b"")
    for look in (member_keys, lambda path: read_member(path, "frames")):
        with pytest.raises(MimError, match="expected each array once, found frames 2 times"):
            look(path)
