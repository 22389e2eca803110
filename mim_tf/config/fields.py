"""Fields of a configuration, with what the command line needs to know of them."""

import dataclasses
import math

from mim_tf.errors import MimError


def field(
    default, help, choices=(), minimum=None, above=None, below=None, by_recipe=None, is_flag=True
):
    """A field of a configuration.

    Args:
        default: its value where none is given.
        help: the description of its flag.
        choices: the only values it may have; none: any.
        minimum: the smallest number it may be.
        above: a number it has to be larger than.
        below: a number it has to be smaller than.
        by_recipe: recipe -> value where none is given; then `default` is None.
        is_flag: whether the command line has a flag for it.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "minimum": minimum,
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


def fill_in(config) -> None:
    """Gives the fields of a new `config` that are None what its recipe says, if there is one."""
    for each in dataclasses.fields(config):
        values = each.metadata["by_recipe"] or {}
        if getattr(config, each.name) is None and config.recipe in values:
            object.__setattr__(config, each.name, values[config.recipe])


def check_fields(config) -> None:
    """Raises `MimError` for the first value that the choices or bounds of its field forbid."""
    for each in dataclasses.fields(config):
        _check(each.name, getattr(config, each.name), each.metadata)


def _check(name, value, bounds):
    if bounds["choices"] and value not in bounds["choices"]:
        *others, last = bounds["choices"]
        raise MimError(f"{name} must be {', '.join(others)} or {last}, received {value!r}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise MimError(f"{name} must be a finite number, received {value}.")
    if bounds["minimum"] is not None and value < bounds["minimum"]:
        raise MimError(f"{name} must be at least {bounds['minimum']}, received {value}.")
    if bounds["above"] is not None and not value > bounds["above"]:
        raise MimError(f"{name} must be above {bounds['above']}, received {value}.")
    if bounds["below"] is not None and not value < bounds["below"]:
        raise MimError(f"{name} must be below {bounds['below']}, received {value}.")
