"""Writes a model in TensorFlow's SavedModel format."""

import dataclasses
import re
import tempfile
from pathlib import Path

import keras
import tensorflow as tf

from mim_tf.config.stored import to_json
from mim_tf.errors import MimError
from mim_tf.models import VideoPredictor
from mim_tf.serving.client import serving_protos
from mim_tf.serving.endpoints import Endpoints
from mim_tf.storage.paths import parse_json, read_text


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


# MERGED: Numbered versions of a model in a folder, as TensorFlow Serving expects them.


def publish(folder: Path, parent: Path) -> Path:
    """Moves `folder`, complete, to the next free version of `parent`; returns its new path.

    Nothing is overwritten, also where another program makes the same version first.
    """
    while True:
        version = parent / str(next_version(parent))
        try:
            return folder.rename(version)
        except OSError:
            if not version.exists():
                raise


def next_version(parent: Path) -> int:
    """One more than the largest version in `parent`: a server takes the largest by default."""
    names = [path.name for path in parent.iterdir()]
    return 1 + max((int(name) for name in names if re.fullmatch("[0-9]+", name)), default=0)


# MERGED: Requests that TensorFlow Serving answers for itself before it takes others.
#
# The first request to an endpoint is slow; with these no caller has to wait for it.


PATH = Path("assets.extra") / "tf_serving_warmup_requests"
"""Where in a version's folder the server looks for them."""


def write_warmup(folder: Path, signatures: dict, context: int, frame_shape) -> None:
    """Writes one request for each endpoint, with one sequence of black frames.

    Args:
        folder: of the version.
        signatures: as of `Endpoints`.
        context: length of that sequence, at least 1.
        frame_shape: (H, W, C) of its frames.
    """
    requests, logs = serving_protos("predict_pb2"), serving_protos("prediction_log_pb2")
    picture = b""
    if frame_shape[2] in (1, 3):
        picture = tf.io.encode_png(tf.zeros(frame_shape, tf.uint8)).numpy()
    (folder / PATH).parent.mkdir()
    with tf.io.TFRecordWriter(str(folder / PATH)) as records:
        for endpoint, (_, arguments) in signatures.items():
            request = requests.PredictRequest()
            request.model_spec.signature_name = endpoint
            for spec in tf.nest.flatten(arguments):
                request.inputs[spec.name].CopyFrom(_black(spec, context, picture))
            log = logs.PredictionLog(predict_log=logs.PredictLog(request=request))
            records.write(log.SerializeToString())


def _black(spec, context, picture):
    value = {tf.string: picture, tf.int32: 1}.get(spec.dtype, 0)
    unknown = (1, context)
    shape = [unknown[axis] if size is None else size for axis, size in enumerate(spec.shape)]
    return tf.make_tensor_proto(value, spec.dtype, shape)
