"""Memory that does not suffice, in a sentence."""

import contextlib
from collections.abc import Iterator

from mim_tf.errors import MimError


@contextlib.contextmanager
def memory_errors() -> Iterator[None]:
    """Makes a `MimError` of what NumPy, TensorFlow and JAX raise where memory runs out."""
    try:
        yield
    except Exception as error:
        # Of JAX, the kind stands in the text alone.
        kind = f"{type(error).__name__} {str(error)[:200]}"
        words = ("MemoryError", "ResourceExhausted", "RESOURCE_EXHAUSTED")
        if isinstance(error, MimError) or not any(word in kind for word in words):
            raise
        reason = (str(error).strip() or "no details").splitlines()[0]
        raise MimError(
            f"The memory does not suffice ({reason:.200}). Lower batch_size, num_hidden or "
            "total_length, raise patch_size, or add --rematerialise."
        ) from None
