"""Uses an exported model as a stranger does: with TensorFlow, without Keras and mim_tf.

The process has `sys.argv[1:] = [VERSION, FOLDER]` and cannot import Keras and mim_tf. It reads
frames and pictures from FOLDER and writes what it got there.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

version, folder = map(Path, sys.argv[1:])
frames = np.load(folder / "frames.npy")
floats = tf.constant(frames / np.float32(255))
loaded = tf.saved_model.load(str(version))
endpoints = loaded.signatures
arrays, messages = {}, {}


def attempt(name, endpoint, **inputs):
    try:
        endpoints[endpoint](**inputs)
        messages[name] = "no error"
    except (tf.errors.InvalidArgumentError, TypeError, ValueError) as error:
        messages[name] = str(error)


for length in (1, 3, 5):
    arrays[f"predict{length}"] = endpoints["predict"](frames=floats[:, :length])["predictions"]
arrays["default"] = endpoints["serving_default"](frames=floats[:, :3])["predictions"]
uint8 = tf.constant(frames[:, :3])
arrays["uint8"] = endpoints["predict_uint8"](frames=uint8)["predictions"]

strings = [[(folder / f"{b}-{t}").read_bytes() for t in range(3)] for b in range(2)]
answer = endpoints["predict_png"](frames=tf.constant(strings))
arrays["png"] = answer["predictions"]
arrays["png_decoded"] = [
    [tf.io.decode_png(picture) for picture in row] for row in answer["png_bytes"]
]

states = endpoints["start"](batch_size=tf.constant(2))
for t in range(5):
    states = endpoints["step"](frame=floats[:, t], **states)
    arrays[f"step{t}"] = states.pop("prediction")
    arrays[f"rollout{t}"] = endpoints["rollout"](**states)["predictions"]

attempt("empty", "predict", frames=floats[:, :0])
attempt("range", "predict", frames=floats * 255)
attempt("nan", "predict", frames=floats * np.nan)
attempt("size", "predict", frames=floats[:, :, :, :1])
attempt("rank", "predict", frames=floats[0])
attempt("batch of states", "step", frame=floats[:, 0], **{k: v[:1] for k, v in states.items()})
attempt("batch of one state", "rollout", **(states | {"h1": states["h1"][:1]}))
small = tf.reshape(tf.io.encode_png(uint8[0, 0, 1:]), (1, 1))
attempt("picture size", "predict_png", frames=small)
for name, picture in (("no picture", "words"), ("empty picture", "")):
    attempt(name, "predict_png", frames=tf.constant([[picture]]))
attempt("no streams", "start", batch_size=tf.constant(0))
attempt("too many streams", "start", batch_size=tf.constant(2**31 - 1))
for value in (np.nan, np.inf, 1e38):
    for name in ("h1", "m", "last_prediction"):
        wrong = states | {name: states[name] + np.float32(value)}
        attempt(f"{name} {value} in step", "step", frame=floats[:, 0], **wrong)
        attempt(f"{name} {value} in rollout", "rollout", **wrong)

messages["warm-up"] = []
records = version / "assets.extra" / "tf_serving_warmup_requests"
for record in tf.data.TFRecordDataset(str(records)):
    request = PredictionLog.FromString(record.numpy()).predict_log.request
    endpoint = request.model_spec.signature_name
    inputs = {name: tf.constant(tf.make_ndarray(t)) for name, t in request.inputs.items()}
    outputs = endpoints[endpoint](**inputs)
    messages["warm-up"].append([endpoint, {k: v.shape.as_list() for k, v in outputs.items()}])

messages["modules"] = [name for name in ("keras", "mim_tf") if sys.modules[name]]
np.savez(folder / "arrays.npz", **arrays)
(folder / "messages.json").write_text(json.dumps(messages))
