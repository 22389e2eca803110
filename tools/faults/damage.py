"""Ways in which any file, or what stands in its place, can be wrong."""

import enum
import os
import random
from collections.abc import Callable
from pathlib import Path


class Kind(enum.Enum):
    """Possible result of a damage that is not rejected."""

    CHANGED = "a format without a checksum cannot show it"
    CUT = "a format without a mark of its end cannot show it"
    PLACE = "the content as it was, or nothing"
    MISSING = "one of several files may be missing"
    CONTENT = "what the file now says, if that is sound"


def _bit(content, draw, within=10**9):
    content[draw.randrange(min(len(content), within))] ^= 1 << draw.randrange(8)


def _several_bytes(content, draw):
    for _ in range(8):
        content[draw.randrange(len(content))] = draw.randrange(256)


def _zeros(content, draw):
    start = draw.randrange(len(content))
    end = min(start + draw.choice([4, 64, 4096]), len(content))
    content[start:end] = bytes(end - start)


def _huge_number(content, draw):
    number = draw.choice([b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\xff" * 8])
    start = draw.randrange(min(len(content), 400))
    content[start : start + len(number)] = number


def _missing_block(content, draw):
    start = draw.randrange(len(content))
    del content[start : start + draw.choice([1, 4, 512])]


def _noise(content, draw):
    content[:] = draw.randbytes(len(content))


def _truncate(content, draw):
    del content[draw.randrange(len(content)) :]


def _truncate_end(content, draw):
    del content[-draw.randrange(1, 40) :]


_CHANGES = {
    "one_bit": _bit,
    "one_bit_of_the_header": lambda content, draw: _bit(content, draw, within=200),
    "several_bytes": _several_bytes,
    "a_block_of_zeros": _zeros,
    "a_huge_number": _huge_number,
    "a_block_is_missing": _missing_block,
    "noise": _noise,
}
_CUTS = {
    "truncated": _truncate,
    "truncated_at_the_end": _truncate_end,
    "longer": lambda content, draw: content.extend(draw.randbytes(draw.randrange(1, 99))),
    "empty": lambda content, draw: content.clear(),
}
_REPLACEMENTS = {
    "a_folder": lambda path, draw: path.mkdir(),
    "a_link_to_itself": lambda path, draw: path.symlink_to(path.name),
    "a_link_to_nothing": lambda path, draw: path.symlink_to("nothing"),
    "a_link_to_the_folder": lambda path, draw: path.symlink_to("."),
    "a_fifo": lambda path, draw: os.mkfifo(path),
    "a_device": lambda path, draw: path.symlink_to(
        draw.choice(["/dev/zero", "/dev/urandom", "/dev/full"])
    ),
}


def _edited(edit):
    def damage(path, draw):
        content = bytearray(path.read_bytes())
        edit(content, draw)
        path.write_bytes(content)

    return damage


def _replaced(replace):
    def damage(path, draw):
        path.unlink()
        replace(path, draw)

    return damage


def _loops(path, draw):
    for name in "uvwxyz":
        (path.parent / f"loop-{name}").symlink_to(".")


A_LONG_NAME = "a_name_too_long"
"""Damage for which the reader gets such a name; the file stays as it is."""

ANY: dict[str, tuple[Kind, Callable[[Path, random.Random], object]]] = {
    **{name: (Kind.CHANGED, _edited(edit)) for name, edit in _CHANGES.items()},
    **{name: (Kind.CUT, _edited(edit)) for name, edit in _CUTS.items()},
    **{name: (Kind.PLACE, _replaced(replace)) for name, replace in _REPLACEMENTS.items()},
    "missing": (Kind.MISSING, lambda path, draw: path.unlink()),
    "a_good_link": (
        Kind.PLACE,
        lambda path, draw: path.symlink_to(path.rename(path.with_name("moved.bin")).name),
    ),
    "without_permission": (Kind.PLACE, lambda path, draw: path.chmod(0)),
    "a_folder_without_permission": (Kind.PLACE, lambda path, draw: path.parent.chmod(0)),
    "loops_of_links_beside_it": (Kind.PLACE, _loops),
    "a_fifo_beside_it": (Kind.PLACE, lambda path, draw: os.mkfifo(path.with_name(f"9{path.name}"))),
    A_LONG_NAME: (Kind.PLACE, lambda path, draw: None),
}
"""Name -> kind, and the damage to any file."""
