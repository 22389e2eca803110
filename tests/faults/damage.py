"""Ways in which any file, or what stands in its place, can be wrong."""

import enum
import os
import random
from collections.abc import Callable
from pathlib import Path


class Kind(enum.Enum):
    """What may come of a damage where it is not refused."""

    CHANGED = "a format without a checksum cannot tell"
    CUT = "a format that does not tell where it ends cannot tell"
    PLACE = "what it was, or nothing"
    MISSING = "one of several files may be missing"
    CONTENT = "whatever the file now says, if it is sound"


Damage = Callable[[Path, random.Random], None]
ANY: dict[str, tuple[Kind, Damage]] = {}
"""Name -> what may come of it, and the damage, to any file."""


def _any(kind):
    def register(function):
        ANY[function.__name__] = kind, function
        return function

    return register


def _edited(path, edit):
    content = bytearray(path.read_bytes())
    edit(content)
    path.write_bytes(content)


@_any(Kind.CHANGED)
def one_bit(path, draw):
    def edit(content):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)

    _edited(path, edit)


@_any(Kind.CHANGED)
def one_bit_of_the_header(path, draw):
    def edit(content):
        content[draw.randrange(min(len(content), 200))] ^= 1 << draw.randrange(8)

    _edited(path, edit)


@_any(Kind.CHANGED)
def several_bytes(path, draw):
    def edit(content):
        for _ in range(8):
            content[draw.randrange(len(content))] = draw.randrange(256)

    _edited(path, edit)


@_any(Kind.CHANGED)
def a_block_of_zeros(path, draw):
    def edit(content):
        start = draw.randrange(len(content))
        end = min(start + draw.choice([4, 64, 4096]), len(content))
        content[start:end] = bytes(end - start)

    _edited(path, edit)


@_any(Kind.CHANGED)
def a_huge_number(path, draw):
    def edit(content):
        number = draw.choice([b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\xff" * 8])
        start = draw.randrange(min(len(content), 400))
        content[start : start + len(number)] = number

    _edited(path, edit)


@_any(Kind.CHANGED)
def a_block_is_missing(path, draw):
    def edit(content):
        start = draw.randrange(len(content))
        del content[start : start + draw.choice([1, 4, 512])]

    _edited(path, edit)


@_any(Kind.CHANGED)
def noise(path, draw):
    path.write_bytes(draw.randbytes(path.stat().st_size))


@_any(Kind.CUT)
def truncated(path, draw):
    os.truncate(path, draw.randrange(path.stat().st_size))


@_any(Kind.CUT)
def truncated_at_the_end(path, draw):
    os.truncate(path, max(0, path.stat().st_size - draw.randrange(1, 40)))


@_any(Kind.CUT)
def longer(path, draw):
    _edited(path, lambda content: content.extend(draw.randbytes(draw.randrange(1, 99))))


@_any(Kind.CUT)
def empty(path, draw):
    path.write_bytes(b"")


@_any(Kind.MISSING)
def missing(path, draw):
    path.unlink()


@_any(Kind.PLACE)
def a_folder(path, draw):
    path.unlink()
    path.mkdir()


@_any(Kind.PLACE)
def a_link_to_itself(path, draw):
    path.unlink()
    path.symlink_to(path.name)


@_any(Kind.PLACE)
def a_link_to_nothing(path, draw):
    path.unlink()
    path.symlink_to("nothing")


@_any(Kind.PLACE)
def a_link_to_the_folder(path, draw):
    path.unlink()
    path.symlink_to(".")


@_any(Kind.PLACE)
def a_good_link(path, draw):
    moved = path.with_name("moved.bin")
    path.rename(moved)
    path.symlink_to(moved.name)


@_any(Kind.PLACE)
def a_fifo(path, draw):
    path.unlink()
    os.mkfifo(path)


@_any(Kind.PLACE)
def a_device(path, draw):
    path.unlink()
    path.symlink_to(draw.choice(["/dev/zero", "/dev/urandom", "/dev/full"]))


@_any(Kind.PLACE)
def without_permission(path, draw):
    path.chmod(0)


@_any(Kind.PLACE)
def a_folder_without_permission(path, draw):
    path.parent.chmod(0)


@_any(Kind.PLACE)
def loops_of_links_beside_it(path, draw):
    for name in "uvwxyz":
        (path.parent / f"loop-{name}").symlink_to(".")


@_any(Kind.PLACE)
def a_name_too_long(path, draw):
    """`Case` gives the reader such a name."""


@_any(Kind.PLACE)
def a_fifo_beside_it(path, draw):
    os.mkfifo(path.with_name(f"9{path.name}"))
