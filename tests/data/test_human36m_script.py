import hashlib
import http.server
import io
import os
import pathlib
import shutil
import subprocess
import tarfile

import numpy as np
import pytest
from PIL import Image

from mim_tf.config import DataConfig
from mim_tf.data.sets.human36m import open_human
from tests.small_servers import served

SCRIPT = pathlib.Path(__file__).parents[2] / "data" / "human36m.sh"
SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
BASH = shutil.which("bash")
MISSING = [tool for tool in ("bash", "curl", "tar") if shutil.which(tool) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


def write_archive(path, members, **properties):
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in properties.items():
                setattr(member, key, value)
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


def run(*arguments, path=os.environ["PATH"], cwd=None):
    options = {"capture_output": True, "text": True, "env": {**os.environ, "PATH": path}}
    return subprocess.run([BASH, SCRIPT, *arguments], cwd=cwd, **options)


def succeeded(*arguments, **options):
    """Run it, check that it succeeds, and return what it prints."""
    done = run(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def download(mirror, destination):
    return succeeded(mirror.as_uri(), destination)


def refused(mirror, destination, **options):
    """The error message of a download that fails."""
    done = run(mirror.as_uri(), destination, **options)
    assert done.returncode == 1
    return done.stderr


def write_tar(folder, commands):
    """Write a `tar` of one's own, which runs `commands`; return the PATH that finds it first."""
    (folder / "tar").write_text(f"#!{BASH}\n" + commands.replace("TAR", shutil.which("tar")))
    (folder / "tar").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


EVERYTHING = {name for subject in SUBJECTS for name in pictures(subject)}


def test_all_subjects_are_unpacked_once_and_can_be_opened(mirror, destination):
    assert "has no SHA256SUMS" in download(mirror, destination)
    assert files(destination) == EVERYTHING
    assert {path.name for path in destination.iterdir()} == set(SUBJECTS)
    source = open_human(DataConfig("human", destination), "test", (4, 4, 3), 2)
    np.testing.assert_array_equal(source.sequences([0]), np.ones((1, 2, 4, 4, 3)))

    shutil.rmtree(mirror)
    assert download(mirror, destination).count("already there") == 7


def write_sums(mirror, *without):
    paths = [path for path in mirror.glob("*.tar") if path.name not in without]
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths]
    (mirror / "SHA256SUMS").write_text("".join(lines))


def changed_after_sums(mirror):
    write_sums(mirror)
    content = (mirror / "S6.tar").read_bytes()
    (mirror / "S6.tar").write_bytes(content.replace(b"PNG", b"png"))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda mirror: (mirror / "S6.tar").unlink(), "S6.tar cannot be downloaded"),
        (lambda mirror: os.truncate(mirror / "S6.tar", 0), "S6.tar"),
        (lambda mirror: os.truncate(mirror / "S6.tar", 700), "not a whole archive"),
        (lambda m: write_archive(m / "S6.tar", {"S6/notes.txt": b"hello"}), "S6.tar.part"),
        (lambda mirror: write_archive(mirror / "S6.tar", pictures("S5")), "S6.tar.part"),
        (changed_after_sums, "S6.tar.wrong"),
        (lambda mirror: write_sums(mirror, "S6.tar"), "SHA256SUMS has no line for S6.tar"),
    ],
)
def test_a_bad_archive_is_refused_and_tried_again(mirror, destination, damage, words):
    whole = (mirror / "S6.tar").read_bytes()
    damage(mirror)
    assert words in refused(mirror, destination)
    assert files(destination) >= {*pictures("S1"), *pictures("S5")}
    assert not (destination / "S6").exists()
    (mirror / "S6.tar").write_bytes(whole)
    if (mirror / "SHA256SUMS").exists():
        write_sums(mirror)
    for part in destination.glob("archives/S6.tar.part"):
        if words == "S6.tar.part":  # the message says to delete it
            part.unlink()
    assert download(mirror, destination).count("already there") == 2
    assert {name for name in files(destination) if name.endswith(".jpg")} == EVERYTHING


def test_a_partial_download_is_resumed(mirror, destination):
    whole = (mirror / "S1.tar").read_bytes()
    (destination / "archives").mkdir(parents=True)
    (destination / "archives" / "S1.tar.part").write_bytes(whole[:3000])
    # Downloaded again from its start, it would be no archive.
    (mirror / "S1.tar").write_bytes(b"?" * 3000 + whole[3000:])
    download(mirror, destination)
    assert files(destination) == EVERYTHING


def test_a_server_that_cannot_resume_starts_again(mirror, destination):
    def send_all(self):  # never a part of a file
        self.directory = mirror
        http.server.SimpleHTTPRequestHandler.do_GET(self)

    (destination / "archives").mkdir(parents=True)
    (destination / "archives" / "S1.tar.part").write_bytes(b"?" * 3000)
    with served(send_all, http.server.SimpleHTTPRequestHandler) as address:
        assert "cannot resume" in succeeded(f"{address}/", destination)


def test_an_unencrypted_address_may_not_redirect_to_a_file(mirror, destination):
    def redirect(self):
        self.send_response(302)
        self.send_header("Location", f"{mirror.as_uri()}/{self.path.rpartition('/')[2]}")
        self.end_headers()

    with served(redirect) as address:
        error = run(address, destination).stderr
    assert "is not encrypted" in error
    assert "SHA256SUMS cannot be downloaded" in error
    assert not destination.exists()


def test_an_archive_that_cannot_be_unpacked_is_kept(mirror, destination, tmp_path):
    path = write_tar(tmp_path, '[ "$1" != -xf ] || exit 2\nexec TAR "$@"\n')
    assert "S1.tar cannot be unpacked" in refused(mirror, destination, path=path)
    kept = destination / "archives" / "S1.tar"
    assert kept.read_bytes() == (mirror / "S1.tar").read_bytes()


def test_files_of_the_user_stay(mirror, destination):
    (destination / "S5").mkdir(parents=True)
    (destination / "S1.tar").write_text("mine")
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


def test_arguments():
    assert "MIRROR [DESTINATION]" in run("--help").stdout
    for arguments in ([], ["--fast"], ["a", "b", "c"], ["ftp://a"], ["dict://a"]):
        done = run(*arguments)
        assert (done.returncode, "expected" in done.stderr) == (1, True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["-rf", "host:folder", "a b", "--help"])
def test_names_that_tools_could_take_for_something_else(mirror, tmp_path, name):
    mirror = mirror.rename(tmp_path / "mirror[1-3]{a,b}")
    succeeded(f"file://{mirror}", name, cwd=tmp_path)
    assert files(tmp_path / name) == EVERYTHING


def test_permissions_and_owners_of_an_archive_are_not_taken(mirror, destination):
    write_archive(mirror / "S1.tar", pictures("S1"), mode=0o6777, uid=12345)
    download(mirror, destination)
    for path in (destination / "S1").iterdir():
        assert path.stat().st_uid == os.getuid()
        assert not path.stat().st_mode & 0o6022


@pytest.mark.parametrize("fails", [False, True])
def test_only_regular_files_of_an_archive_are_kept(mirror, destination, tmp_path, fails):
    kinds = [tarfile.FIFOTYPE, tarfile.SYMTYPE]
    if os.getuid() == 0:  # only root makes device nodes
        kinds += [tarfile.CHRTYPE, tarfile.BLKTYPE]
    with tarfile.open(mirror / "S1.tar", "a") as archive:
        for kind in kinds:
            member = tarfile.TarInfo(f"S1/odd-{kind.decode()}")
            member.type, member.linkname, member.devmajor, member.devminor = kind, "/etc", 1, 3
            archive.addfile(member)
    if fails:  # after it unpacked everything
        path = write_tar(tmp_path, 'TAR "$@"\n[ "$1" != -xf ] || exit 2')
        refused(mirror, destination, path=path)
    else:
        download(mirror, destination)
        assert files(destination) == EVERYTHING
    assert [path for path in destination.rglob("*") if path.name.startswith("odd")] == []
