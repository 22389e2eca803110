"""Networks by name: those of this package, and those that users register in their own files."""

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
from mim_tf.config.model import NAMES_OF_2019
from mim_tf.errors import MimError

StepBuilder = Callable[[ModelConfig], keras.Model]


@dataclasses.dataclass(frozen=True)
class Network:
    """A step builder and its declared properties; see `register_network`."""

    build: StepBuilder
    scheduled_sampling: bool
    ablations: bool
    min_layers: int


_NETWORKS: dict[str, Network] = {}


def register_network(
    name: str, scheduled_sampling: bool = True, ablations: bool = False, min_layers: int = 1
) -> Callable[[StepBuilder], StepBuilder]:
    """Make a step builder available as `model_name=name`.

    A builder takes a `ModelConfig` and returns one time step, see `mim_tf.models.rollout`.

    Args:
        name: name of the network; replaces an earlier network of the same name.
        scheduled_sampling: whether training uses scheduled sampling by default.
        ablations: whether the builder follows `mim_n`, `mim_s` and `differencing`. If not, other
            values than their defaults raise `MimError`.
        min_layers: smallest number of layers.
    """

    if name in NAMES_OF_2019:  # `ModelConfig` would take the other network instead
        raise MimError(f"Expected another name than {name}, which is {NAMES_OF_2019[name]}.")

    def register(builder: StepBuilder) -> StepBuilder:
        _NETWORKS[name] = Network(builder, scheduled_sampling, ablations, min_layers)
        return builder

    return register


def build_step(config: ModelConfig) -> keras.Model:
    """Build the time step of `config`; raise `MimError` for settings it does not support."""
    network = find_network(config.model_name)
    if config.num_layers < network.min_layers:
        least = f"at least {network.min_layers} layers for {config.model_name}"
        raise MimError(f"Expected num_hidden with {least}, got {config.num_hidden}.")
    for name in ABLATION_FIELDS:
        value, default = getattr(config, name), getattr(ModelConfig, name)
        if value != default and not network.ablations:
            able = ", ".join(sorted(each for each in _NETWORKS if _NETWORKS[each].ablations))
            raise MimError(
                f"Expected {name}={default} for {config.model_name}, got {value}. {able} have it."
            )
    seen = config
    if config.channels_apart:
        seen = dataclasses.replace(config, img_channel=1, channels_apart=False, scale=None)
    step = network.build(seen)
    inputs, outputs = (_shapes_of(step, side) for side in ("inputs", "outputs"))
    if not inputs or inputs != outputs:
        found = f"{inputs} and {outputs}" if inputs else f"{step!r:.80}"
        raise MimError(
            f"Expected from the builder of {config.model_name} a keras.Model(inputs, outputs) of "
            f"one time step, with as many outputs as inputs of the same shapes, got {found}. "
            "Return step_model(...)."
        )
    if getattr(step, "prediction", "frame") != config.prediction:
        raise MimError(
            f"prediction={config.prediction} is not supported for {config.model_name}, whose step "
            "does not use StepEnds. Use prediction=frame."
        )
    return step


def _shapes_of(step, side):
    # A model that is not functional has neither, or None.
    ends = getattr(step, side, None) if isinstance(step, keras.Model) else None
    return [end.shape for end in ends or ()]


def find_network(name: str) -> Network:
    """Return a registered network; raise `MimError` for an unknown name."""
    if name not in _NETWORKS:
        known = ", ".join(sorted(_NETWORKS))
        raise MimError(
            f"Expected a model_name of {known}, or of your --network_module=FILE.py, got {name!r}."
        )
    return _NETWORKS[name]


def import_network_module(path: str) -> None:
    """Run the Python file at `path`, which has to register a network or a data set.

    The file's folder is appended to `sys.path`, so that the file can import its neighbours.
    """
    if Path(path).suffix != ".py" or not os.path.isfile(path):
        raise MimError(f"Expected a Python file as --network_module, got {path}. Check the path.")
    file = Path(path).resolve()
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    before = dict(_NETWORKS), registered_data_sets()
    name = f"network_module_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None  # because the file ends in .py
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # any error of the user's code
        raise MimError(f"{_place(error, file)}: {type(error).__name__}: {error}") from error
    if before == (_NETWORKS, registered_data_sets()):
        names = "@mim_tf.register_network(NAME) or mim_tf.register_data_set"
        raise MimError(f"Expected {names} in --network_module={path}, got neither.")


def _place(error, file):
    """Return the file and, if known, the last line of that file in the traceback."""
    trace = traceback.extract_tb(error.__traceback__)
    lines = [at.lineno for at in trace if at.filename == str(file)]
    if isinstance(error, SyntaxError) and error.lineno:
        file, lines = error.filename, [error.lineno]
    return f"{file}, line {lines[-1]}" if lines else str(file)


def source_of(model_name: str) -> dict[str, str] | None:
    """Return path and SHA-256 of the file of a user's network; None for a network of mim_tf."""
    module = find_network(model_name).build.__module__
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or module.startswith("mim_tf."):
        return None
    path = Path(file).resolve()
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
