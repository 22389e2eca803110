import numpy as np
import pytest
from skimage.metrics import structural_similarity

from mim_tf.errors import MimError
from mim_tf.evaluation.protocols import PROTOCOLS, protocol_scores
from mim_tf.values.scale import LinearScale


def random_pair(shape=(2, 3, 8, 9, 2)):
    generator = np.random.default_rng(0)
    truth = generator.random(shape, np.float32)
    return truth, generator.uniform(-0.5, 1.5, shape).astype(np.float32)


def means(protocol, truth, prediction):
    scores = protocol_scores(protocol)
    scores.update(truth, prediction)
    return scores.result()["mean"]


def test_openstl_clips_for_ssim_and_psnr_only():
    truth, prediction = random_pair()
    mean = means("openstl", truth, prediction)
    assert list(mean) == ["mse", "mae", "ssim", "psnr"]
    difference = prediction.astype(np.float64) - truth
    assert mean["mse"] == pytest.approx(np.square(difference).mean(axis=(0, 1)).sum(), rel=1e-6)
    assert mean["mae"] == pytest.approx(np.abs(difference).mean(axis=(0, 1)).sum(), rel=1e-6)
    clipped = prediction.clip(0, 1)
    similarities = [
        structural_similarity(t, p, data_range=2, channel_axis=-1)
        for t, p in zip(truth.reshape(6, 8, 9, 2), clipped.reshape(6, 8, 9, 2), strict=True)
    ]
    assert mean["ssim"] == pytest.approx(np.mean(similarities), rel=1e-6)
    levels = np.floor(clipped * 255) - np.floor(truth * 255)
    ratios = 10 * np.log10(255**2 / np.square(levels).mean(axis=(2, 3, 4)))
    assert mean["psnr"] == pytest.approx(ratios.mean(), rel=1e-6)


def test_mim2019_clips_the_squared_error():
    truth, prediction = random_pair()
    assert means("mim2019", truth, prediction)["mse"] == pytest.approx(
        means("mim2019", truth, prediction.clip(0, 1))["mse"]
    )
    assert means("openstl", truth, prediction)["mse"] > means("mim2019", truth, prediction)["mse"]


def test_per_pixel_is_the_mean_over_values():
    truth, prediction = random_pair()
    mean = means("per_pixel", truth, prediction)
    assert mean["mse"] * 8 * 9 * 2 == pytest.approx(means("openstl", truth, prediction)["mse"])
    assert mean["mae"] * 8 * 9 * 2 == pytest.approx(means("openstl", truth, prediction)["mae"])
    assert mean["rmse"] == pytest.approx(np.sqrt(mean["mse"]))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_has_the_score_that_chooses_the_best_weights(protocol):
    truth, _ = random_pair()
    assert means(protocol, truth, truth)["mse"] == 0


def test_an_unknown_protocol_is_refused():
    with pytest.raises(MimError, match=r"mim2019, .*, hko7, sevir, pysteps, received 'mim2020'"):
        protocol_scores("mim2020")


def test_frames_that_are_not_in_unit_range_are_scored_as_they_are():
    scale = LinearScale("K", 280.0, 290.0, clipped=False, black=260.0, white=310.0)
    generator = np.random.default_rng(0)
    truth = generator.normal(0, 1, (2, 1, 8, 8, 1)).astype(np.float32)
    prediction = truth + 1
    scores = protocol_scores("mim2019", scale)
    scores.update(truth, prediction)
    mean = scores.result()["mean"]
    assert mean["mse"] == pytest.approx(64)
    shown = protocol_scores("mim2019")
    shown.update(scale.shown(truth), scale.shown(prediction))
    for name in ("psnr", "ssim_uint8", "ssim_float", "sharpness"):
        assert mean[name] == shown.result()["mean"][name]
