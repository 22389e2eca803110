import numpy as np
import pytest
import tensorflow as tf

import mim_tf
from mim_tf.serving.endpoints import ServedStep

TINY = mim_tf.ModelConfig(img_width=8, patch_size=4, num_hidden=(2, 2), filter_size=3)


def inputs_of(step):
    generator = np.random.default_rng(0)
    return [tf.constant(generator.random((2, *each.shape[1:]), np.float32)) for each in step.inputs]


@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_does_what_the_step_did(precision, freeze):
    step = mim_tf.build_model(mim_tf.ModelConfig(**vars(TINY) | {"precision": precision})).step
    inputs = inputs_of(step)
    expected = step(inputs)
    served = ServedStep(step, freeze)
    for variable in step.variables:
        variable.assign(variable + 1)
    for output, value in zip(served(inputs), expected, strict=True):
        np.testing.assert_allclose(output, value, rtol=0, atol=1e-6)


def graph_of(step):
    return tf.function(ServedStep(step, freeze=True)).get_concrete_function(inputs_of(step)).graph


def test_frozen_weights_are_no_variables():
    assert not graph_of(mim_tf.build_model(TINY).step).variables
