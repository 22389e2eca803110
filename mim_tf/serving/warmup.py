"""Requests that TensorFlow Serving answers for itself before it takes others.

The first request to an endpoint is slow; with these no caller has to wait for it.
"""

from pathlib import Path

import tensorflow as tf

from mim_tf.serving.protos import serving_protos

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
