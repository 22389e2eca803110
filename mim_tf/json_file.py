"""Files of JSON that this package writes and reads again."""

import json
from pathlib import Path

from mim_tf.errors import MimError
from mim_tf.given_path import parse_json, read_text
from mim_tf.new_path import move_into_place


def write_json(path: Path, content) -> None:
    """Writes JSON all or nothing."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    move_into_place(part, path)


def read_json(path: Path) -> dict:
    """The object in a file of `write_json`.

    Raises:
        MimError: if there is none.
    """
    try:
        content = parse_json(read_text(path))
    except MimError:
        raise
    except ValueError as error:
        raise MimError(f"{path} cannot be read: {error}. Put a copy of it back.") from None
    if not isinstance(content, dict):
        raise MimError(f"{path} is damaged: expected an object, received {content!r:.40}.")
    return content
