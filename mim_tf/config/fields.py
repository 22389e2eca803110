"""Fields of a configuration: default, flag description and bounds in one declaration."""

import dataclasses
import math
import numbers
import operator
import os
import typing
from collections.abc import Iterable

import numpy as np

from mim_tf.errors import MimError
from mim_tf.values.text import listed

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


def complete(config) -> None:
    """Convert and check the values of a new `config`, field by field.

    Paths become text, and lists and arrays tuples. A field that is None takes the default of the
    recipe, if it has one. Raises `MimError` for the first value of another kind than its field, out
    of its bounds, or not finite in float32, in which numbers are used.
    """
    for each in dataclasses.fields(config):
        value, by_recipe = getattr(config, each.name), each.metadata["by_recipe"]
        kind, *others = typing.get_args(each.type) or (each.type,)
        if value is None and by_recipe:
            value = by_recipe[config.recipe]
        if isinstance(value, os.PathLike):
            value = os.fsdecode(value)
        if typing.get_origin(each.type) is tuple:
            if isinstance(value, str | bytes) or not isinstance(value, Iterable):
                example = each.default or (30,)
                raise MimError(f"{each.name} must be numbers, such as {example}, got {value!r}.")
            if kind is int:  # Lists of absl flags contain text.
                value = (int(n) if isinstance(n, str) and n.isdecimal() else n for n in value)
            value = tuple(_checked(each.name, item, kind, each.metadata) for item in value)
        elif value is not None or type(None) not in others:
            value = _checked(each.name, value, kind, each.metadata)
        object.__setattr__(config, each.name, value)


def _checked(name, value, kind, bounds):
    """Return a value as its `kind`; NumPy's numbers are accepted, and bool only where it is."""
    accepted = {int: numbers.Integral, float: numbers.Real}.get(kind, kind)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        wanted = _KIND_NAMES.get(kind, f"a {kind.__name__}")
        raise MimError(f"{name} must be {wanted}, got {value!r}.")
    if bounds["choices"] and value not in bounds["choices"]:
        raise MimError(f"{name} must be {listed(bounds['choices'])}, got {value!r}.")
    if kind not in (int, float):
        return value
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise MimError(f"{name} must fit 64 bits, got {value.bit_length()} bits.")
    with np.errstate(over="ignore"):
        used = float(np.float32(value))  # in which 0.999999999 is 1
    if not math.isfinite(used):
        raise MimError(f"{name} must be a finite number in float32, got {value}.")
    for word, bound, compare, number in (
        ("at most", bounds["maximum"], operator.le, value),
        ("at least", bounds["minimum"], operator.ge, value),
        ("above", bounds["above"], operator.gt, used),
        ("below", bounds["below"], operator.lt, used),
    ):
        if bound is not None and not compare(number, bound):
            raise MimError(f"{name} must be {word} {bound}, got {value}.")
    return kind(value)
