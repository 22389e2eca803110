"""Fields of a configuration, with what the command line needs to know of them."""

import contextlib
import dataclasses
import math
import numbers
import os
import struct
import typing

from mim_tf.errors import MimError

_LARGEST = 2**63 - 1
"""Larger whole numbers fit neither NumPy nor TensorFlow."""


def field(
    default,
    help,
    choices=(),
    minimum=None,
    maximum=None,
    above=None,
    below=None,
    by_recipe=None,
    is_flag=True,
):
    """A field of a configuration.

    Args:
        default: its value where none is given.
        help: the description of its flag.
        choices: the only values it may have; none: any.
        minimum: the smallest number it may be.
        maximum: the largest number it may be.
        above: a number it has to be larger than.
        below: a number it has to be smaller than.
        by_recipe: recipe -> value where none is given; then `default` is None.
        is_flag: whether the command line has a flag for it.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "above": above,
        "below": below,
        "by_recipe": by_recipe,
        "is_flag": is_flag,
    }
    return dataclasses.field(default=default, metadata=metadata)


def recipe_field(help, paper2019, fast, **bounds):
    """A field whose default depends on the recipe; arguments as for `field`."""
    return field(None, help, by_recipe={"paper2019": paper2019, "fast": fast}, **bounds)


def flag_fields(config: type) -> list[dataclasses.Field]:
    """The fields of a configuration that are flags."""
    return [each for each in dataclasses.fields(config) if each.metadata.get("is_flag", True)]


def to_plain(config) -> None:
    """Turns values of a new `config` into those of its fields: paths into text, and lists and
    arrays of numbers into tuples. What cannot be turned stays, for `check_fields` to refuse."""
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        if each.type is str and isinstance(value, os.PathLike):
            value = os.fsdecode(value)
        elif _is_tuple(each) and not isinstance(value, str | bytes):
            with contextlib.suppress(TypeError):
                value = tuple(value)
        object.__setattr__(config, each.name, value)


def fill_in(config) -> None:
    """Gives the fields of a new `config` that are None what its recipe says, if there is one."""
    for each in dataclasses.fields(config):
        values = each.metadata["by_recipe"] or {}
        # A list, for a recipe that is no text cannot be looked up.
        if getattr(config, each.name) is None and config.recipe in list(values):
            object.__setattr__(config, each.name, values[config.recipe])


def check_fields(config) -> None:
    """Raises `MimError` for the first value of another kind than its field, or out of its bounds.

    Numbers have to be finite in float32, in which they are used.
    """
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        kinds = typing.get_args(each.type) or (each.type,)
        if value is None and type(None) in kinds:
            continue
        if _is_tuple(each) and not isinstance(value, tuple):
            example = each.default or (30,)
            raise MimError(f"{each.name} must be numbers, such as {example}, received {value!r}.")
        for item in value if _is_tuple(each) else (value,):
            _check_kind(each.name, item, kinds[0])
            _check_largest(each.name, item, each.metadata["maximum"])
        _check(each.name, value, each.metadata)


def _is_tuple(each):
    return typing.get_origin(each.type) is tuple


def _check_kind(name, value, kind):
    if kind not in (int, float) and not isinstance(value, kind):
        wanted = {str: "text", bool: "True or False"}.get(kind, f"a {kind.__name__}")
        raise MimError(f"{name} must be {wanted}, received {value!r}.")
    if kind is int and (isinstance(value, bool) or not isinstance(value, numbers.Integral)):
        raise MimError(f"{name} must be a whole number, received {value!r}.")
    if kind is float and (isinstance(value, bool) or not isinstance(value, numbers.Real)):
        raise MimError(f"{name} must be a number, received {value!r}.")
    if kind is float and not math.isfinite(_as_float32(value)):
        raise MimError(f"{name} must be a finite number in float32, received {value}.")


def _check_largest(name, value, maximum):
    maximum = _LARGEST if maximum is None else maximum
    if isinstance(value, numbers.Real) and value > maximum:
        raise MimError(f"{name} must be at most {maximum}, received {_shown(value)}.")


def _check(name, value, bounds):
    if bounds["choices"] and value not in bounds["choices"]:
        *others, last = bounds["choices"]
        raise MimError(f"{name} must be {', '.join(others)} or {last}, received {value!r}.")
    if bounds["minimum"] is not None and value < bounds["minimum"]:
        raise MimError(f"{name} must be at least {bounds['minimum']}, received {_shown(value)}.")
    # As it is used: 0.999999999 is 1 in float32.
    if bounds["above"] is not None and not _as_float32(value) > bounds["above"]:
        raise MimError(f"{name} must be above {bounds['above']} in float32, received {value}.")
    if bounds["below"] is not None and not _as_float32(value) < bounds["below"]:
        raise MimError(f"{name} must be below {bounds['below']} in float32, received {value}.")


def _as_float32(value):
    try:
        return struct.unpack("f", struct.pack("f", value))[0]
    except (OverflowError, struct.error):  # the latter for whole numbers beyond float64
        return math.inf


def _shown(value):
    """A number in at most a line."""
    long = isinstance(value, int) and value.bit_length() > 200
    return f"one of {value.bit_length()} bits" if long else f"{value}"
