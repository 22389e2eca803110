"""Networks by name."""

import dataclasses
from collections.abc import Callable

import keras

from mim_tf.config import ABLATION_FIELDS, ModelConfig
from mim_tf.errors import MimError

StepBuilder = Callable[[ModelConfig], keras.Model]


@dataclasses.dataclass(frozen=True)
class Network:
    """A step builder, and what it declares about itself; see `register_network`."""

    build: StepBuilder
    scheduled_sampling: bool
    ablations: bool
    min_layers: int


_NETWORKS: dict[str, Network] = {}


def register_network(
    name: str, scheduled_sampling: bool = True, ablations: bool = False, min_layers: int = 1
) -> Callable[[StepBuilder], StepBuilder]:
    """Makes a step builder available as `model_name=name`; see `models/step.py` for what it is.

    Args:
        name: of the network; a network of that name is replaced.
        scheduled_sampling: whether it is trained with scheduled sampling unless the training's
            configuration says otherwise.
        ablations: whether the builder follows `mim_n`, `mim_s` and `differencing`; where it does
            not, values other than their defaults are refused.
        min_layers: layers it needs at least.
    """

    def register(builder: StepBuilder) -> StepBuilder:
        _NETWORKS[name] = Network(builder, scheduled_sampling, ablations, min_layers)
        return builder

    return register


def build_step(config: ModelConfig) -> keras.Model:
    """One time step of the network `config` names.

    Raises:
        MimError: for an unknown name, or settings the network cannot follow.
    """
    network = _find(config.model_name)
    if config.num_layers < network.min_layers:
        raise MimError(
            f"{config.model_name} needs at least {network.min_layers} layers, received "
            f"num_hidden={config.num_hidden}."
        )
    for name in ABLATION_FIELDS:
        value, default = getattr(config, name), getattr(ModelConfig, name)
        if value != default and not network.ablations:
            able = ", ".join(sorted(each for each in _NETWORKS if _NETWORKS[each].ablations))
            raise MimError(
                f"{name} must be {default} for {config.model_name}, received {value}: it is a "
                f"setting of {able}."
            )
    return network.build(config)


def uses_scheduled_sampling(model_name: str) -> bool:
    """Whether the network of that name is trained with scheduled sampling by default.

    Raises:
        MimError: if there is none.
    """
    return _find(model_name).scheduled_sampling


def registered() -> dict[str, Network]:
    """All networks there are now, by name."""
    return dict(_NETWORKS)


def builder_of(model_name: str) -> StepBuilder:
    """What builds the network of that name.

    Raises:
        MimError: if there is none.
    """
    return _find(model_name).build


def _find(name):
    if name not in _NETWORKS:
        known = ", ".join(sorted(_NETWORKS))
        raise MimError(
            f"model_name must be one of: {known}; received {name!r}. A network of your own has to "
            "be registered first: give --network_module=FILE.py, or import its module."
        )
    return _NETWORKS[name]
