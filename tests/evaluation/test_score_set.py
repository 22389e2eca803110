import numpy as np
import pytest

from mim_tf.data.files.arrays import ArraySource
from mim_tf.errors import MimError
from mim_tf.evaluation.score_set import scores_for
from mim_tf.values.scale import LinearScale


@pytest.fixture
def frames():
    return np.random.default_rng(0).random((4, 2, 8, 8, 1), np.float32)


def radar(frames):
    source = ArraySource(frames)
    source.scale, source.thresholds = LinearScale("dBZ", 0, 70), (30.0,)
    return source


def test_kinds_follow_from_the_source(frames):
    def names(source, protocol="openstl"):
        scores = scores_for(source, protocol)
        scores.update(frames, frames)
        return list(scores.result()["mean"])

    assert names(ArraySource(frames)) == ["mse", "mae", "ssim", "psnr"]
    physical = [
        "mae_dBZ",
        "rmse_dBZ",
        "power_ratio",
        "CSI_30",
        "POD_30",
        "FAR_30",
        "BIAS_30",
        "HSS_30",
    ]
    assert names(radar(frames)) == ["mse", "mae", "ssim", "psnr", *physical]
    assert names(radar(frames), "per_pixel") == ["mse", "mae", "rmse", *physical]
    with pytest.raises(MimError, match="protocol must be one of"):
        scores_for(radar(frames), "weatherbench")


def test_all_kinds_merge(frames):
    whole, first, second = (scores_for(radar(frames)) for _ in range(3))
    whole.update(frames, frames[::-1])
    first.update(frames[:1], frames[::-1][:1])
    second.update(frames[1:], frames[::-1][1:])
    first.merge(second)
    assert first.sequences == 4
    assert first.result() == whole.result()
    assert first.intervals() == whole.intervals()
    assert list(first.per_sequence()) == list(first.result()["mean"])
