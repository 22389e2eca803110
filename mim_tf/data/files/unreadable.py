"""Files that cannot be read, in one sentence."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from mim_tf.errors import MimError


@contextlib.contextmanager
def unreadable_is_mim_error(
    path: str | Path,
    kind: str,
    detail: str = "",
    form: str = "one",
    remedy: str = "Save or download it again.",
) -> Iterator[None]:
    """Within it, whatever goes wrong in reading the file at `path` comes out as a `MimError`.

    Args:
        path: of the file.
        kind: what it is expected to be, such as "a picture".
        detail: more of that, where the file is there but is none.
        form: what it cannot be read as.
        remedy: how to mend it.
    """
    try:
        yield
    except MimError:
        raise
    except FileNotFoundError:
        raise MimError(f"{path}: expected {kind}, found no such file. Check the path.") from None
    except Exception as error:  # The libraries that read files let many kinds out on damaged ones.
        raise MimError(
            f"{path}: expected {kind}{detail}, received a file that cannot be read as {form} "
            f"({error}). {remedy}"
        ) from None
