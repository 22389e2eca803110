import functools
import hashlib
import http.server
import io
import os
import pathlib
import shutil
import subprocess
import tarfile
import threading

import numpy as np
import pytest
from PIL import Image

from mim_tf.config import DataConfig
from mim_tf.data.sets.human36m import open_human

SCRIPT = pathlib.Path(__file__).parents[2] / "data" / "human36m.sh"
SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
BASH = shutil.which("bash")
MISSING = [tool for tool in ("bash", "curl", "tar") if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


def write_archive(path, members):
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def pictures(subject, count=4):
    content = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), 255, np.uint8)).save(content, format="PNG")
    return {
        f"{subject}/{subject}_Walking.54138969_{5 * n + 1:06d}.jpg": content.getvalue()
        for n in range(count)
    }


@pytest.fixture
def mirror(tmp_path):
    """Archives with a folder in them, except that of S5."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for subject in SUBJECTS:
        write_archive(folder / f"{subject}.tar", pictures(subject))
    flat = {pathlib.Path(name).name: content for name, content in pictures("S5").items()}
    write_archive(folder / "S5.tar", flat)
    return folder


@pytest.fixture
def destination(tmp_path):
    return tmp_path / "the destination"


def run(*arguments, path=None, cwd=None):
    return subprocess.run(
        [BASH, SCRIPT, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PATH": path or os.environ["PATH"]},
    )


def download(mirror, destination, **options):
    return run(mirror.as_uri(), destination, **options)


def refused(mirror, destination, **options):
    """The error message of a download that fails."""
    done = download(mirror, destination, **options)
    assert done.returncode == 1
    return done.stderr


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


EVERYTHING = {name for subject in SUBJECTS for name in pictures(subject)}


def test_all_subjects_are_unpacked_once_and_can_be_opened(mirror, destination):
    done = download(mirror, destination)
    assert done.returncode == 0, done.stderr
    assert "has no SHA256SUMS" in done.stdout
    assert files(destination) == EVERYTHING
    assert {path.name for path in destination.iterdir()} == set(SUBJECTS)
    source = open_human(DataConfig("human", destination), "test", (4, 4, 3), 2)
    np.testing.assert_array_equal(source.sequences([0]), np.ones((1, 2, 4, 4, 3)))

    shutil.rmtree(mirror)
    assert download(mirror, destination).stdout.count("already there") == 7


def test_a_failed_download_can_be_tried_again(mirror, destination):
    (mirror / "S6.tar").rename(mirror / "later")
    assert "S6.tar" in refused(mirror, destination)
    assert files(destination) == {*pictures("S1"), *pictures("S5")}
    (mirror / "later").rename(mirror / "S6.tar")
    done = download(mirror, destination)
    assert done.stdout.count("already there") == 2
    assert files(destination) == EVERYTHING


@pytest.mark.parametrize("length", [0, 700])
def test_a_truncated_archive_is_refused_and_then_resumed(mirror, destination, length):
    whole = (mirror / "S1.tar").read_bytes()
    (mirror / "S1.tar").write_bytes(whole[:length])
    assert "S1.tar" in refused(mirror, destination)
    assert not (destination / "S1").exists()
    (mirror / "S1.tar").write_bytes(whole)
    assert download(mirror, destination).returncode == 0
    assert files(destination) == EVERYTHING


@pytest.mark.parametrize("members", [{"S1/notes.txt": b"hello"}, pictures("S5")])
def test_an_archive_without_pictures_of_the_subject_is_refused(mirror, destination, members):
    write_archive(mirror / "S1.tar", members)
    assert "S1.tar.part" in refused(mirror, destination)


def test_a_partial_download_is_resumed(mirror, destination):
    whole = (mirror / "S1.tar").read_bytes()
    (destination / "archives").mkdir(parents=True)
    (destination / "archives" / "S1.tar.part").write_bytes(whole[:3000])
    # Downloaded again from its start, it would be no archive.
    (mirror / "S1.tar").write_bytes(b"?" * 3000 + whole[3000:])
    assert download(mirror, destination).returncode == 0
    assert files(destination) == EVERYTHING


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, but never a part of one."""

    def log_message(self, *arguments):
        pass


def test_a_server_that_cannot_resume_starts_again(mirror, destination):
    (destination / "archives").mkdir(parents=True)
    (destination / "archives" / "S1.tar.part").write_bytes(b"?" * 3000)
    handler = functools.partial(Quiet, directory=mirror)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run(f"http://127.0.0.1:{server.server_port}/", destination)
        (destination / "S1").rename(destination / "moved")
        (mirror / "S1.tar").unlink()
        missing = run(f"http://127.0.0.1:{server.server_port}", destination)
        server.shutdown()
    assert done.returncode == 0, done.stderr
    assert "cannot resume" in done.stdout
    assert missing.returncode == 1
    assert "S1.tar cannot be downloaded" in missing.stderr


def test_an_archive_that_cannot_be_unpacked_is_kept(mirror, destination, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "tar").write_text(
        f'#!{BASH}\n[ "$1" != -xf ] || exit 2\nexec {shutil.which("tar")} "$@"\n'
    )
    (tools / "tar").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    assert "S1.tar cannot be unpacked" in refused(mirror, destination, path=path)
    kept = destination / "archives" / "S1.tar"
    assert kept.read_bytes() == (mirror / "S1.tar").read_bytes()


def test_files_of_the_user_stay(mirror, destination):
    destination.mkdir()
    (destination / "S1.tar").write_text("mine")
    (destination / "S5").mkdir()
    (destination / "S5" / "notes.txt").write_text("mine")
    assert "S5_*.jpg" in refused(mirror, destination)
    assert (destination / "S1.tar").read_text() == "mine"
    assert files(destination / "S5") == {"notes.txt"}


@pytest.mark.parametrize("missing", ["curl", "tar"])
def test_missing_tools_are_named(mirror, destination, tmp_path, missing):
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in {"curl", "tar", "grep"} - {missing}:
        (tools / tool).symlink_to(shutil.which(tool))
    assert f"needs {missing}" in refused(mirror, destination, path=str(tools))
    assert not destination.exists()


def test_arguments(tmp_path):
    assert "MIRROR [DESTINATION]" in run("--help").stdout
    for arguments in ([], ["--fast"], ["a", "b", "c"], ["ftp://a"], ["dict://a"]):
        done = run(*arguments)
        assert done.returncode == 1
        assert "expected" in done.stderr


def write_sums(mirror, **changes):
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in mirror.iterdir()}
    lines = [f"{value}  {name}\n" for name, value in (sums | changes).items()]
    (mirror / "SHA256SUMS").write_text("".join(lines))


def test_archives_are_checked_where_the_mirror_has_sums(mirror, destination):
    write_sums(mirror)
    good = (mirror / "S5.tar").read_bytes()
    (mirror / "S5.tar").write_bytes(good.replace(b"PNG", b"png"))
    assert "S5.tar" in refused(mirror, destination)
    assert (destination / "archives" / "S5.tar.wrong").exists()
    assert files(destination / "S1") == {pathlib.Path(name).name for name in pictures("S1")}
    assert not (destination / "S5").exists()
    (mirror / "S5.tar").write_bytes(good)
    done = download(mirror, destination)
    assert done.returncode == 0, done.stderr
    assert "cannot be checked" not in done.stdout


def test_an_archive_without_a_sum_is_refused(mirror, destination):
    write_sums(mirror)
    lines = (mirror / "SHA256SUMS").read_text().splitlines(keepends=True)
    (mirror / "SHA256SUMS").write_text("".join(line for line in lines if "S1.tar" not in line))
    assert "SHA256SUMS has no line for S1.tar" in refused(mirror, destination)


@pytest.mark.parametrize("name", ["-rf", "host:folder", "a b", "--help"])
def test_names_that_tools_could_take_for_something_else(mirror, tmp_path, name):
    mirror = mirror.rename(tmp_path / "mirror[1-3]{a,b}")
    done = run(f"file://{mirror}", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / name) == EVERYTHING


def test_permissions_and_owners_of_an_archive_are_not_taken(mirror, destination):
    with tarfile.open(mirror / "S1.tar", "w") as archive:
        for name, content in pictures("S1").items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uid = len(content), 0o6777, 12345
            archive.addfile(member, io.BytesIO(content))
    done = download(mirror, destination)
    assert done.returncode == 0, done.stderr
    for path in (destination / "S1").iterdir():
        assert path.stat().st_uid == os.getuid()
        assert not path.stat().st_mode & 0o6022


def test_http_is_told_of_and_a_redirection_to_a_file_refused(mirror, destination):
    class Redirecting(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", f"{mirror.as_uri()}/{self.path.rpartition('/')[2]}")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run(f"http://127.0.0.1:{server.server_port}", destination)
        server.shutdown()
    assert done.returncode == 1
    assert "is not encrypted" in done.stderr
    assert "SHA256SUMS cannot be downloaded" in done.stderr
    assert not destination.exists()
