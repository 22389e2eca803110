"""Memory that does not suffice, in a sentence."""

import contextlib
from collections.abc import Iterator

from mim_tf.errors import MimError


@contextlib.contextmanager
def memory_errors() -> Iterator[None]:
    """Makes a `MimError` of memory that runs out in training."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise MimError(
            f"{in_words(error)} Lower batch_size, num_hidden or total_length, raise patch_size, or "
            "add --rematerialise."
        ) from None


def is_out_of_memory(error: Exception) -> bool:
    """Whether it is what NumPy, TensorFlow and JAX raise where memory runs out."""
    # Of JAX, the kind stands in the text alone.
    kind = f"{type(error).__name__} {str(error)[:200]}"
    words = ("MemoryError", "ResourceExhausted", "RESOURCE_EXHAUSTED")
    return not isinstance(error, MimError) and any(word in kind for word in words)


def in_words(error: Exception) -> str:
    """That the memory does not suffice, and what `error` says of it."""
    reason = (str(error).strip() or "no details").splitlines()[0]
    return f"The memory does not suffice ({reason:.200})."
