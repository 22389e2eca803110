"""Networks by name."""

import dataclasses
import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import keras

from mim_tf.config import ABLATION_FIELDS, ModelConfig
from mim_tf.config.datasets import registered_data_sets
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


# MERGED: Networks of one's own, registered in a Python file that is not part of the package.


def import_network_module(path: str) -> None:
    """Runs a Python file that registers networks, which may import others from its folder.

    Args:
        path: of the file.

    Raises:
        MimError: if there is none, it fails, or it registers no network.
    """
    file = Path(path).resolve()
    if file.suffix != ".py" or not os.path.isfile(file):
        found = "no Python file" if os.path.lexists(file) else "nothing"
        raise MimError(f"network_module must be a Python file, FILE.py, found {found} at {path}.")
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    before = registered(), registered_data_sets()
    name = f"network_module_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:  # not for .py files
        raise ImportError(file)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise MimError(f"{_place(error, file)}: {type(error).__name__}: {error}") from error
    if before == (registered(), registered_data_sets()):
        raise MimError(
            f"{path} registers no network: expected a function with @mim_tf.register_network(NAME) "
            "above it, or mim_tf.register_data_set."
        )


def _place(error, file):
    """File and line that an error is about, the last of `file` where it is about none."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{error.filename}, line {error.lineno}"
    trace = traceback.extract_tb(error.__traceback__)
    lines = [at.lineno for at in trace if at.filename == str(file)]
    return f"{file}, line {lines[-1]}" if lines else str(file)


def source_of(model_name: str) -> dict[str, str] | None:
    """Path and SHA-256 of the file of a network that is not of this package; None where none is.

    Raises:
        MimError: if there is no network of that name.
    """
    module = builder_of(model_name).__module__
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or module.startswith("mim_tf."):
        return None
    path = Path(file).resolve()
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
