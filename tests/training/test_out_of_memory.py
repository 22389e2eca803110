import pytest
import tensorflow as tf

from mim_tf.errors import MimError
from mim_tf.runtime.memory import memory_errors


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 8. TiB"),
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\nand more"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes"),
    ],
)
def test_memory_that_runs_out_is_one_sentence(error):
    message = r"^Out of memory \(.*\)\. Lower"
    with pytest.raises(MimError, match=message) as caught, memory_errors():
        raise error
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [MimError("RESOURCE_EXHAUSTED"), ValueError("else"), OSError(28)])
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as caught, memory_errors():
        raise error
    assert caught.value is error
