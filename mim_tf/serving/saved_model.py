"""Writes a model in TensorFlow's SavedModel format."""

import dataclasses
import tempfile
from pathlib import Path

import keras
import tensorflow as tf

from mim_tf.errors import MimError
from mim_tf.given_path import parse_json, read_text
from mim_tf.models import VideoPredictor
from mim_tf.models.configuration import to_json
from mim_tf.serving.endpoints import Endpoints
from mim_tf.serving.protos import serving_protos
from mim_tf.serving.versions import publish
from mim_tf.serving.warmup import write_warmup


def write_saved_model(
    model: VideoPredictor,
    output,
    horizon: int = 0,
    warmup: bool = True,
    metrics=None,
    freeze: bool = False,
) -> Path:
    """Writes the next version of a served model: `output`/1, or one more than is there.

    The version appears when it is complete; older ones stay as they are. Beside the endpoints (see
    `Endpoints`; `predict` is also `serving_default`) it has `assets/model_config.json`.

    Args:
        model: what to serve; with the TensorFlow backend.
        output: folder of the model, with a folder for each version.
        horizon: frames to predict; 0: the model's horizon.
        warmup: write requests with which a server warms up.
        metrics: JSON file to add as `assets/metrics.json`.
        freeze: weights are constants of the graph: quicker, with more memory; see `ServedStep`.

    Returns:
        The folder of the version.

    Raises:
        MimError: if an argument does not fit, `warmup` needs a package that is not installed, or
            `output` cannot be written. No version is written then.
    """
    endpoints = Endpoints(model, horizon, freeze)
    assets = {"model_config.json": _config_json(model.config, endpoints.horizon)}
    if metrics:
        assets["metrics.json"] = _read_json(metrics)
    if warmup:
        serving_protos("prediction_log_pb2")
    output = Path(output)
    try:
        output.mkdir(parents=True, exist_ok=True)
        # A server takes only numbers for versions.
        with tempfile.TemporaryDirectory(dir=output, prefix=".writing-") as folder:
            version = Path(folder) / "version"
            _write(model.config, endpoints, version, warmup, assets)
            return publish(version, output)
    except (OSError, tf.errors.OpError) as error:
        raise MimError(f"{output} cannot be written: {error}. Choose another place.") from None


def _write(config, endpoints, folder, warmup, assets):
    signatures = endpoints.signatures()
    archive = keras.export.ExportArchive()
    # Keras makes the first of them serving_default, too.
    for name, (function, arguments) in signatures.items():
        archive.add_endpoint(name, function, arguments)
    archive.write_out(str(folder), verbose=False)
    for name, text in assets.items():
        (folder / "assets" / name).write_text(text)
    if warmup:
        write_warmup(folder, signatures, config.input_length, config.frame_shape)


def _config_json(config, horizon):
    return to_json(dataclasses.replace(config, total_length=config.input_length + horizon))


def _read_json(path):
    try:
        text = read_text(path, "metrics as JSON")
        parse_json(text)
    except MimError:
        raise
    except ValueError as error:
        raise MimError(f"The metrics, {path}, must be JSON: {error}.") from None
    return text
