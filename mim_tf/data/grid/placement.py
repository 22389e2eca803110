"""Whether fields lie as those that a model was trained on do."""

import math
import re

from absl import logging

from mim_tf.errors import MimError

_AXIS = re.compile(r"\d+ (?P<name>\S.*?)(?: \((?P<first>\S+) to (?P<last>\S+)\))?(?: x |$)")


def check_placement(learnt: str, found: str, where: str) -> None:
    """Warns of fields of another place, whose weather a network may know little of.

    Longitudes that differ by a full circle are the same.

    Args:
        learnt: the grid of the training as `grid_in_words` has it; empty where none is known.
        found: that of the fields, of as many rows and columns.
        where: the fields are from.

    Raises:
        MimError: for rows or columns in the other direction, and for a globe that begins at
            another longitude, which are as easily mended as overlooked.
    """
    if learnt and found and not _is_same(learnt, found, where):
        logging.warning(
            "%s: the model was trained on fields of %s, these are of %s: it may know little of "
            "this place.",
            where,
            learnt,
            found,
        )


def check_one_grid(trained: str, found: str, where: str) -> None:
    """Raises `MimError` if the fields of `where` are not on the grid that is trained on."""
    if trained and not _is_same(trained, found, where):
        raise MimError(
            f"{where}: expected the grid of the training, {trained}, received {found}. Fields of "
            "one run need one grid (xarray: interp_like, sortby, roll)."
        )


def _is_same(learnt, found, where):
    axes = zip(_AXIS.finditer(learnt), _AXIS.finditer(found), strict=False)
    return learnt == found or all([_check_axis(*pair, where) for pair in axes])


def _check_axis(learnt, found, where):
    """Whether an axis has the same values; `MimError` if it is reversed or rolled."""
    if None in (learnt["first"], found["first"]):
        return learnt["first"] == found["first"]
    (first, last), (start, end) = (
        (float(axis["first"]), float(axis["last"])) for axis in (learnt, found)
    )
    said = (
        f"{where}: expected {found['name']} from {learnt['first']} to {learnt['last']}, as in the "
        f"training, received {found['first']} to {found['last']}."
    )
    if (last - first) * (end - start) < 0:
        raise MimError(
            f"{said} Turn the fields round, in xarray with .sortby({found['name']!r}, "
            f"ascending={last > first})."
        )
    step = _step(learnt, last - first)
    if _is_globe(last - first, step) and _is_globe(end - start, step):
        shift = abs(math.remainder(start - first, 360))
        if shift > 0.99 * step:
            columns = round((first - start) % 360 / step)
            raise MimError(
                f"{said} Begin at the same longitude, in xarray with .roll({found['name']}="
                f"-{columns}, roll_coords=True)."
            )
    else:
        shift = min(abs(start - first - turn) for turn in (-360, 0, 360))
    tolerance = 1e-3 * step or 1e-4
    return shift < tolerance and abs(abs(end - start) - abs(last - first)) < tolerance


def _step(axis, span):
    return abs(span) / max(int(axis[0].split()[0]) - 1, 1)


def _is_globe(span, step):
    return step > 0 and 360 - 1.01 * step < abs(span) < 360 + 0.01 * step
