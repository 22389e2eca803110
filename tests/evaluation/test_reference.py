"""What is known of test sequences without a model."""

import numpy as np
import pytest

from mim_tf.data.files.arrays import ArraySource
from mim_tf.evaluation import baselines as reference
from mim_tf.evaluation.baselines import ReferenceScores


@pytest.fixture
def frames():
    return np.random.default_rng(0).random((5, 6, 8, 8, 1), np.float32)


def test_what_does_not_depend_on_the_model_is_computed_once(frames, monkeypatch):
    calls = []

    def zeros(context, horizon):
        calls.append(len(context))
        return np.zeros((len(context), horizon, *context.shape[2:]), np.float32)

    monkeypatch.setattr(reference, "baselines_for", lambda source: {"zeros": zeros})

    def scored(source, limit=0, protocol="mim2019"):
        scores = ReferenceScores(source, 3, limit, protocol)
        scores.update(frames, frames)
        return scores.result()

    source = ArraySource(frames)
    assert scored(source) == scored(source)
    assert calls == [5]
    for other in ({"limit": 4}, {"protocol": "openstl"}):
        scored(source, **other)
    scored(ArraySource(frames))
    assert calls == [5] * 4


def test_a_set_is_recorded_with_its_fingerprint(frames):
    def data(frames, *cuts, missing=False):
        truth = frames.copy()
        truth[0, 0] = np.nan if missing else truth[0, 0]
        scores = ReferenceScores(ArraySource(frames), 3, 0, "per_pixel")
        for part in zip(np.split(frames, cuts), np.split(truth, cuts), strict=True):
            scores.update(*part)
        return scores.result()["data"]

    whole = data(frames)
    assert whole["source"] == "array"
    assert data(frames, 2) == whole
    for other in (data(frames[:4]), data(frames[::-1]), data(frames, missing=True)):
        assert other["sha256"] != whole["sha256"]
