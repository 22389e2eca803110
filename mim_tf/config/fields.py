"""Fields of a configuration: default, flag description and bounds in one declaration."""

import contextlib
import dataclasses
import math
import numbers
import operator
import os
import struct
import typing

from mim_tf.errors import MimError

_LARGEST = 2**63 - 1  # larger whole numbers fit neither NumPy nor TensorFlow
_KIND_NAMES = {str: "text", bool: "True or False", int: "a whole number", float: "a number"}


_UNBOUNDED: dict[str, typing.Any] = {
    "choices": (),  # the only values it may have; none: any
    "minimum": None,
    "maximum": None,
    "above": None,  # these two in float32
    "below": None,
    "by_recipe": None,  # recipe -> value where none is given; then the default is None
    "is_flag": True,  # whether the command line has a flag for it
}


def field(default, help: str, **bounds):
    """Declare a field of a configuration: its default, the help of its flag, and its bounds."""
    return dataclasses.field(default=default, metadata=_UNBOUNDED | {"help": help} | bounds)


def recipe_field(help, paper2019, fast, **bounds):
    """Declare a field whose default depends on the recipe; arguments as for `field`."""
    return field(None, help, by_recipe={"paper2019": paper2019, "fast": fast}, **bounds)


def flag_fields(config: type) -> list[dataclasses.Field]:
    """Return the fields of a configuration that are flags."""
    return [each for each in dataclasses.fields(config) if each.metadata.get("is_flag", True)]


def to_plain(config) -> None:
    """Turn paths of a new `config` into text, and lists and arrays into tuples.

    Other values stay as they are, for `check_fields` to refuse.
    """
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        if each.type is str and isinstance(value, os.PathLike):
            value = os.fsdecode(value)
        elif _is_tuple(each) and not isinstance(value, str | bytes):
            with contextlib.suppress(TypeError):
                value = tuple(value)
        object.__setattr__(config, each.name, value)


def fill_in(config) -> None:
    """Set the fields of a new `config` that are None to the values of its recipe."""
    for each in dataclasses.fields(config):
        values = each.metadata["by_recipe"] or {}
        # list() because a recipe of a wrong type may not be hashable.
        if getattr(config, each.name) is None and config.recipe in list(values):
            object.__setattr__(config, each.name, values[config.recipe])


def check_fields(config) -> None:
    """Raise `MimError` for the first value of another kind than its field, or out of its bounds.

    Numbers have to be finite in float32, in which they are used.
    """
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        kinds = typing.get_args(each.type) or (each.type,)
        if value is None and type(None) in kinds:
            continue
        if _is_tuple(each) and not isinstance(value, tuple):
            example = each.default or (30,)
            raise MimError(f"{each.name} must be numbers, such as {example}, got {value!r}.")
        for item in value if _is_tuple(each) else (value,):
            _check_kind(each.name, item, kinds[0])
            _check_bounds(each.name, item, each.metadata)


def _is_tuple(each):
    return typing.get_origin(each.type) is tuple


def _check_kind(name, value, kind):
    # NumPy's numbers are accepted, and bool, which Python takes for a number, is not.
    accepted = {int: numbers.Integral, float: numbers.Real}.get(kind, kind)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        wanted = _KIND_NAMES.get(kind, f"a {kind.__name__}")
        raise MimError(f"{name} must be {wanted}, got {value!r}.")
    if kind is float and not math.isfinite(_as_float32(value)):
        raise MimError(f"{name} must be a finite number in float32, got {value}.")


def _check_bounds(name, value, bounds):
    if bounds["choices"] and value not in bounds["choices"]:
        *others, last = bounds["choices"]
        raise MimError(f"{name} must be {', '.join(others)} or {last}, got {value!r}.")
    if not isinstance(value, numbers.Real):
        return
    largest = _LARGEST if bounds["maximum"] is None else bounds["maximum"]
    used = _as_float32(value)  # in which 0.999999999 is 1
    for word, bound, compare, number in (
        ("at most", largest, operator.le, value),
        ("at least", bounds["minimum"], operator.ge, value),
        ("above", bounds["above"], operator.gt, used),
        ("below", bounds["below"], operator.lt, used),
    ):
        if bound is not None and not compare(number, bound):
            raise MimError(f"{name} must be {word} {bound}, got {_shown(value)}.")


def _as_float32(value):
    try:
        return struct.unpack("f", struct.pack("f", value))[0]
    except (OverflowError, struct.error):  # the latter for whole numbers beyond float64
        return math.inf


def _shown(value):
    """Return a number in at most a line."""
    long = isinstance(value, int) and value.bit_length() > 200
    return f"one of {value.bit_length()} bits" if long else f"{value}"
