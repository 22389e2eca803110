"""The help of a command: its flags by group, with their defaults, in 80 columns."""

import dataclasses
import textwrap
from collections.abc import Mapping

from absl import flags

WIDTH = 80


def help_text(command, program: str, values: flags.FlagValues, groups: Mapping) -> str:
    """What `program --help` prints.

    Args:
        command: a `Command`.
        program: what the user types for it.
        values: its flags.
        groups: title -> names of the flags below it.
    """
    usage = " ".join(["usage:", program, *command.arguments, "[FLAGS]"])
    by_recipe = {
        field.name: field.metadata.get("by_recipe") or {}
        for config in command.configs
        for field in dataclasses.fields(config)
    }
    blocks = [usage, command.doc.strip()]
    for title, names in groups.items():
        if names:
            entries = [
                _entry(values[name], name in command.required, by_recipe.get(name, {}))
                for name in names
            ]
            blocks.append("\n".join([f"{title}:", *entries]))
    blocks.append("--flagfile=FILE reads flags from a text file, one on each line.")
    return "\n\n".join(blocks)


def _entry(flag, is_required, by_recipe: Mapping[str, object]) -> str:
    note = "required" if is_required else _default(flag, by_recipe)
    head = f"  {_form(flag)}" + (f"  ({note})" if note else "")
    text = flag.help
    if isinstance(flag, flags.EnumFlag):  # absl puts the choices in front, where `head` has them
        text = text.partition(">: ")[2]
    indent = " " * 6
    return "\n".join(
        [
            *textwrap.wrap(head, WIDTH, subsequent_indent=indent, break_on_hyphens=False),
            *textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent),
        ]
    )


def _form(flag):
    if flag.boolean:
        return f"--[no]{flag.name}"
    if isinstance(flag, flags.EnumFlag):
        return f"--{flag.name}={'|'.join(flag.parser.enum_values)}"
    # Of a list it is "comma separated list of strings".
    return f"--{flag.name}={'TEXT' if 'string' in flag.flag_type() else 'NUMBER'}"


def _default(flag, by_recipe):
    if by_recipe:
        first, *others = by_recipe.items()
        words = [f"default: {_shown(first[1])}"]
        words += [
            f"with --recipe={name}: {_shown(value)}" for name, value in others if value != first[1]
        ]
        return "; ".join(words)
    # Where no value is the default, the description says what that means.
    return "" if flag.default in (None, "", []) else f"default: {_shown(flag.default)}"


def _shown(value):
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value}"
