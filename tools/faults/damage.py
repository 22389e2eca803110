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


def _put(content, place, part):
    return (content[:place] + part + content[place + len(part) :])[: len(content)]


def _bit(content, draw, within=10**9):
    place = draw.randrange(min(len(content), within))
    return _put(content, place, bytes([content[place] ^ 1 << draw.randrange(8)]))


def _several_bytes(content, draw):
    for _ in range(8):
        content = _put(content, draw.randrange(len(content)), draw.randbytes(1))
    return content


def _huge_number(content, draw):
    number = draw.choice([b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\xff" * 8])
    return _put(content, draw.randrange(min(len(content), 400)), number)


def _missing_block(content, draw):
    start = draw.randrange(len(content))
    return content[:start] + content[start + draw.choice([1, 4, 512]) :]


_CHANGES = {
    "one_bit": _bit,
    "one_bit_of_the_header": lambda content, draw: _bit(content, draw, within=200),
    "several_bytes": _several_bytes,
    "a_block_of_zeros": lambda content, draw: _put(
        content, draw.randrange(len(content)), bytes(draw.choice([4, 64, 4096]))
    ),
    "a_huge_number": _huge_number,
    "a_block_is_missing": _missing_block,
    "noise": lambda content, draw: draw.randbytes(len(content)),
}
_CUTS = {
    "truncated": lambda content, draw: content[: draw.randrange(len(content))],
    "truncated_at_the_end": lambda content, draw: content[: -draw.randrange(1, 40)],
    "longer": lambda content, draw: content + draw.randbytes(draw.randrange(1, 99)),
    "empty": lambda content, draw: b"",
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
    return lambda path, draw: path.write_bytes(edit(path.read_bytes(), draw))


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
