"""Networks by name."""

from collections.abc import Callable

import keras

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError

StepBuilder = Callable[[ModelConfig], keras.Model]
_BUILDERS: dict[str, StepBuilder] = {}


def register_network(name: str) -> Callable[[StepBuilder], StepBuilder]:
    """Makes a step builder available as `model_name=name`; see `models/step.py` for what it is."""

    def register(builder: StepBuilder) -> StepBuilder:
        _BUILDERS[name] = builder
        return builder

    return register


def build_step(config: ModelConfig) -> keras.Model:
    """One time step of the network `config` names. Raises `MimError` for an unknown name."""
    if config.model_name not in _BUILDERS:
        known = ", ".join(sorted(_BUILDERS))
        raise MimError(f"model_name must be one of: {known}; received {config.model_name!r}.")
    return _BUILDERS[config.model_name](config)
