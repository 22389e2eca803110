"""Write a network in TensorFlow's SavedModel format, as a numbered version of a served model."""

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

WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
"""Path of the requests that a server runs before it takes others, in the folder of a version."""


def write_saved_model(
    model: VideoPredictor,
    output,
    horizon: int = 0,
    warmup: bool = True,
    metrics=None,
    freeze: bool = False,
) -> Path:
    """Write the next version of a served model: `output`/1, or one more than the last.

    The version appears when it is complete; older ones stay as they are. Besides the endpoints
    (see `Endpoints`; `predict` is also `serving_default`) it has `assets/model_config.json`.

    Args:
        model: network to serve, with the TensorFlow backend.
        output: folder of the served model, with a folder for each version.
        horizon: frames to predict; 0: the network's horizon.
        warmup: write requests with which a server warms up, so that no caller waits for the slow
            first request.
        metrics: JSON file to add as `assets/metrics.json`.
        freeze: make the weights constants of the graph, as in `ServedStep`.

    Returns the folder of the version. Raises `MimError` if an argument does not fit, `warmup` needs
    a package that is not installed, or `output` cannot be written. No version is written then.
    """
    endpoints = Endpoints(model, horizon, freeze)
    total_length = model.config.input_length + endpoints.horizon
    config = dataclasses.replace(model.config, total_length=total_length)
    assets = {"model_config.json": to_json(config)}
    if metrics:
        assets["metrics.json"] = text = read_text(metrics, "metrics as JSON")
        try:
            parse_json(text)
        except ValueError as error:
            raise MimError(f"Expected JSON in --metrics={metrics} ({error}).") from None
    if warmup:
        serving_protos("prediction_log_pb2")
    output = Path(output)
    try:
        str(output).encode()  # as TensorFlow does, after all the work
        output.mkdir(parents=True, exist_ok=True)
        # A server only takes numbers for versions.
        with tempfile.TemporaryDirectory(dir=output, prefix=".writing-") as folder:
            version = Path(folder) / "version"
            _write(endpoints, version, assets, config if warmup else None)
            return publish(version, output)
    except (OSError, UnicodeEncodeError, tf.errors.OpError) as error:
        raise MimError(f"{output} cannot be written: {error}. Choose another --output.") from None


def _write(endpoints, folder, assets, warmup_config):
    signatures = endpoints.signatures()
    archive = keras.export.ExportArchive()
    # Keras makes the first endpoint serving_default, too.
    for name, (function, arguments) in signatures.items():
        archive.add_endpoint(name, function, arguments)
    archive.write_out(str(folder), verbose=False)
    for name, text in assets.items():
        (folder / "assets" / name).write_text(text)
    if warmup_config:
        _write_warmup(folder, signatures, warmup_config)


def publish(folder: Path, parent: Path) -> Path:
    """Move a complete folder to the next free version of `parent`, and return its new path.

    Nothing is overwritten, even if another program makes the same version first.
    """
    while True:
        version = parent / str(next_version(parent))
        try:
            return folder.rename(version)
        except OSError:
            if not version.exists():
                raise


def next_version(parent: Path) -> int:
    """Return one more than the largest version in `parent`, which servers take by default."""
    names = [path.name for path in parent.iterdir()]
    return 1 + max((int(name) for name in names if re.fullmatch("[0-9]+", name)), default=0)


def _write_warmup(folder, signatures, config):
    """Write one request for each endpoint, with one sequence of black frames."""
    requests, logs = serving_protos("predict_pb2"), serving_protos("prediction_log_pb2")
    picture = b""
    if config.frame_shape[2] in (1, 3):
        picture = tf.io.encode_png(tf.zeros(config.frame_shape, tf.uint8)).numpy()
    values = {tf.string: picture, tf.int32: 1}
    unknown = (1, config.input_length)  # batch and time
    (folder / WARMUP).parent.mkdir()
    with tf.io.TFRecordWriter(str(folder / WARMUP)) as records:
        for endpoint, (_, arguments) in signatures.items():
            request = requests.PredictRequest()
            request.model_spec.signature_name = endpoint
            for spec in tf.nest.flatten(arguments):
                shape = [unknown[n] if size is None else size for n, size in enumerate(spec.shape)]
                black = tf.make_tensor_proto(values.get(spec.dtype, 0), spec.dtype, shape)
                request.inputs[spec.name].CopyFrom(black)
            log = logs.PredictionLog(predict_log=logs.PredictLog(request=request))
            records.write(log.SerializeToString())
