"""Errors and similarity of frames, by protocol and in physical units."""

import json
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from mim_tf.data.files.arrays import ArraySource
from mim_tf.errors import MimError
from mim_tf.evaluation import errors
from mim_tf.evaluation.errors import PixelErrors, direction, is_better, unit_errors
from mim_tf.evaluation.protocols import FrameScores, scores_for
from mim_tf.evaluation.statistics import Scores
from mim_tf.values.scale import RAIN_SCALES, ConvertedScale, LinearScale

GOLDEN = Path(__file__).parents[1] / "golden" / "metrics"
NAMES = ["mse", "mae", "psnr", "ssim_uint8", "ssim_float", "sharpness"]
DBZ = LinearScale("dBZ", -10, 60)


def result_of(kinds, *pair):
    scores = Scores(*(kinds if isinstance(kinds, list) else [kinds]))
    scores.update(*pair)
    return scores.result()


def random_pair(shape=(2, 3, 8, 9, 2)):
    generator = np.random.default_rng(0)
    truth = generator.random(shape, np.float32)
    return truth, generator.uniform(-0.5, 1.5, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("score", "expected"),
    [("mse", -1), ("rmse_dBZ", -1), ("ssim_uint8", 1), ("FAR_30", -1), ("sharpness", 0)],
)
def test_directions(score, expected):
    assert direction(score) == expected
    assert is_better(score, 1 + expected, 1) == bool(expected)
    assert not is_better(score, 1, 1)
    assert not is_better(score, None, 1)


def test_scores_equal_those_of_the_2019_code():
    expected = json.loads((GOLDEN / "case.json").read_text())
    expected["ssim_float"] = expected.pop("ssim_float_range2")
    case = np.load(GOLDEN / "case.npz")
    result = result_of(FrameScores(), case["truth"], case["prediction"])
    assert sorted(result["per_frame"]) == sorted(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(result["per_frame"][name], values, atol=1e-4, rtol=0)
        assert result["mean"][name] == pytest.approx(np.mean(values), abs=1e-4)


def test_psnr_of_identical_frames_is_that_of_one_level_in_one_value():
    dark = np.zeros((8, 8, 2), np.uint8)
    nearly = dark.copy()
    nearly[1, 2, 1] = 1
    # 20 log10(255) + 10 log10(8 * 8 * 2)
    expected = pytest.approx(48.1308036 + 21.0720997)
    assert errors.psnr(dark, dark) == errors.psnr(dark, nearly) == expected


def test_scores_of_a_perfect_prediction_are_python_floats_and_valid_json():
    frames = random_pair((2, 3, 8, 8, 1))[0]
    result = result_of(FrameScores(), frames, frames)
    mean = json.loads(json.dumps(result, allow_nan=False))["mean"]
    assert list(mean) == list(result["per_frame"]) == NAMES
    assert mean["mse"] == mean["mae"] == 0
    assert mean["psnr"] == pytest.approx(48.1308036 + 18.0617997)  # 10 log10(64)
    assert mean["ssim_uint8"] == mean["ssim_float"] == pytest.approx(1)
    assert {type(score) for score in result["mean"].values()} == {float}


def test_ssim_is_none_for_frames_below_its_window():
    result = result_of(FrameScores(), *random_pair((2, 3, 6, 16, 1)))
    for name in NAMES:
        assert (result["mean"][name] is None) == name.startswith("ssim")
        assert {score is None for score in result["per_frame"][name]} == {name.startswith("ssim")}


def test_sharpness_is_the_largest_laplacian_of_each_frame_up_to_255():
    largest = np.array([10, 40, 256]).reshape(3, 1, 1, 1)
    frames = np.random.default_rng(0).integers(0, largest, (3, 8, 9, 2)).astype(np.uint8)
    # The border is mirrored without repeating its pixel.
    p = np.pad(frames.astype(int), ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    neighbours = p[:, :-2, 1:-1] + p[:, 2:, 1:-1] + p[:, 1:-1, :-2] + p[:, 1:-1, 2:]
    expected = np.abs(neighbours - 4 * p[:, 1:-1, 1:-1]).max(axis=(1, 2, 3)).clip(max=255)
    assert expected[0] < expected[1] < expected[2] == 255
    np.testing.assert_array_equal(errors.sharpness(frames), expected)


def test_a_missing_value_counts_as_predicted_exactly():
    truth, prediction = random_pair((2, 1, 8, 8, 1))
    filled, exact = truth.copy(), prediction.copy()
    truth[0, 0, 2:4] = np.nan
    filled[0, 0, 2:4] = exact[0, 0, 2:4] = 0
    assert result_of(FrameScores(), truth, prediction) == result_of(FrameScores(), filled, exact)


def means(protocol, truth, prediction, scale=None):
    source = ArraySource(np.zeros((1, 1, 1, 1, 1), np.uint8))
    source.scale = scale
    scores = scores_for(source, protocol)
    scores.update(truth, prediction)
    return scores.result()["mean"]


def test_openstl_clips_for_ssim_and_psnr_only_and_the_2019_code_for_all_but_mae():
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
    ours = means("mim2019", truth, prediction)
    assert ours["mse"] == pytest.approx(np.square(clipped - truth).mean(axis=(0, 1)).sum())
    assert ours["mae"] == pytest.approx(mean["mae"])


def test_an_unknown_protocol_is_refused():
    with pytest.raises(MimError, match="--protocol"):
        means("mim2020", *random_pair())


def test_frames_that_are_not_in_unit_range_are_scored_as_they_are():
    scale = LinearScale("K", 280.0, 290.0, clipped=False, black=260.0, white=310.0)
    truth = np.random.default_rng(0).normal(0, 1, (2, 1, 8, 8, 1)).astype(np.float32)
    mean = means("mim2019", truth, truth + 1, scale)
    assert mean["mse"] == pytest.approx(64)
    shown = means("mim2019", scale.shown(truth), scale.shown(truth + 1))
    for name in ("psnr", "ssim_uint8", "ssim_float", "sharpness"):
        assert mean[name] == shown[name]


def two_frames(first, second):
    """One sequence with a horizon of 2 of frames 1 x 2."""
    return np.array([first, second], np.float32).reshape(1, 2, 1, 2, 1)


def test_errors_of_one_value():
    truth, prediction = two_frames([0, 0.5], [np.nan, 0]), two_frames([-1, 0.5], [7, 3])
    result = result_of(PixelErrors(), truth, prediction)
    assert result["per_frame"] == {"mse": [0.5, 9], "mae": [0.5, 3], "rmse": [0.5**0.5, 3]}
    # Of all values; of the RMSE not the mean of the frames' roots.
    expected = {"mse": (1 + 0 + 9) / 3, "mae": (1 + 0 + 3) / 3, "rmse": (10 / 3) ** 0.5}
    assert result["mean"] == pytest.approx(expected)
    assert means("per_pixel", truth, prediction)["rmse"] == result["mean"]["rmse"]


def test_errors_in_physical_units_leave_out_missing_values_and_do_not_clip():
    truth, prediction = two_frames([np.nan, 0], [np.nan, np.nan]), two_frames([1, 1.5], [1, 1])
    result = result_of(unit_errors(DBZ), truth, prediction)
    assert result["per_frame"] == {"mae_dBZ": [105, None], "rmse_dBZ": [105, None]}
    assert result["mean"] == dict.fromkeys(["mae_dBZ", "rmse_dBZ"], 105)


def test_channels_of_their_own_units_have_scores_of_their_own():
    units, names = ("K", "m s-1"), ("t2m", "u10")
    scale = LinearScale(units, (280.0, 0.0), (290.0, 2.0), clipped=False, names=names)
    truth = np.zeros((1, 1, 1, 2, 2), np.float32)
    prediction = truth + np.float32([3, -0.5])
    truth[0, 0, 0, 0, 1] = np.nan
    expected = dict.fromkeys(["mae_t2m_K", "rmse_t2m_K"], 30)
    expected |= dict.fromkeys(["mae_u10_m_s-1", "rmse_u10_m_s-1"], 1)
    assert result_of(unit_errors(scale), truth, prediction)["mean"] == expected


def test_rain_is_limited_as_in_predictions():
    scale, truth = RAIN_SCALES["dbz"], np.ones((1, 1, 8, 8, 1), np.float32)
    mean = result_of(unit_errors(scale), truth, truth + 0.3)["mean"]
    assert mean["mae_mm/h"] == pytest.approx(0, abs=1e-3)  # 200 mm/h, not 2,000


def test_errors_and_thresholds_are_in_the_converted_unit():
    metres = LinearScale("m", 0, 10)
    square = ConvertedScale("m2", metres, np.square, np.sqrt)
    truth = np.array([0.1, 0.3, np.nan, 0.5], np.float32).reshape(1, 1, 2, 2, 1)
    prediction = np.array([0.1, 0.4, 0.9, 3], np.float32).reshape(truth.shape)
    source = ArraySource(np.nan_to_num(truth))
    source.scale, source.converted = metres, (square,)
    source.thresholds, source.threshold_scale = (16.0,), square
    scores = scores_for(source, "hko7")
    scores.update(truth, prediction)
    mean = scores.result()["mean"]
    # 1 and 1; 9 and 16; 25 and 100, because 3 is clipped to 1.
    assert mean["mae_m2"] == pytest.approx((0 + 7 + 75) / 3, rel=1e-5)
    assert mean["rmse_m2"] == pytest.approx(np.sqrt((49 + 75**2) / 3), rel=1e-5)
    assert mean["CSI_16"] == pytest.approx(1 / 2)
    assert {"mae_m", "rmse_m"} <= set(mean)
