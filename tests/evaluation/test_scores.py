import json
from pathlib import Path

import numpy as np
import pytest

from mim_tf.errors import MimError
from mim_tf.evaluation import errors as scores
from mim_tf.evaluation.protocols import FrameScores

GOLDEN = Path(__file__).parents[1] / "golden" / "metrics"
NAMES = ["mse", "mae", "psnr", "ssim_uint8", "ssim_float", "sharpness"]


def result_of(*batches):
    frame_scores = FrameScores()
    for truth, prediction in batches:
        frame_scores.update(truth, prediction)
    return frame_scores.result()


def zeros(*shape):
    return np.zeros(shape, np.float32)


def random_pair(shape):
    generator = np.random.default_rng(0)
    return generator.random(shape), generator.uniform(-0.5, 1.5, shape)


def test_scores_equal_those_of_the_2019_code():
    expected = json.loads((GOLDEN / "case.json").read_text())
    expected["ssim_float"] = expected.pop("ssim_float_range2")
    case = np.load(GOLDEN / "case.npz")
    result = result_of((case["truth"], case["prediction"]))
    assert sorted(result["per_frame"]) == sorted(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(result["per_frame"][name], values, atol=1e-4, rtol=0)
        assert result["mean"][name] == pytest.approx(np.mean(values), abs=1e-4)


def test_errors_are_sums_over_a_frame_and_only_mse_clips():
    truth, prediction = zeros(1, 1, 8, 8, 1), zeros(1, 1, 8, 8, 1)
    prediction[0, 0, 0, 0] = 0.5
    prediction[0, 0, 3, 3] = 3.0
    prediction[0, 0, 5, 5] = -2.0
    mean = result_of((truth, prediction))["mean"]
    assert mean["mse"] == 0.25 + 1.0
    assert mean["mae"] == 0.5 + 3.0 + 2.0


def test_psnr_of_one_level_everywhere():
    # Mean squared error 1, so 20 log10(255).
    truth = np.full((1, 8, 8, 1), 7, np.uint8)
    assert scores.psnr(truth, truth + 1) == pytest.approx([48.1308036])


def test_psnr_of_opposite_frames_is_zero():
    white = np.full((8, 8, 2), 255, np.uint8)
    assert scores.psnr(np.zeros_like(white), white) == pytest.approx(0)


def test_identical_frames_count_as_one_level_in_one_value():
    truth = np.zeros((8, 8, 2), np.uint8)
    prediction = truth.copy()
    prediction[1, 2, 1] = 1
    expected = 48.1308036 + 21.0720997  # 20 log10(255) + 10 log10(8 * 8 * 2)
    assert scores.psnr(truth, truth) == pytest.approx(expected)
    assert scores.psnr(truth, prediction) == pytest.approx(expected)


def test_scores_of_a_perfect_prediction_are_valid_json():
    frames = random_pair((2, 3, 8, 8, 1))[0]
    mean = json.loads(json.dumps(result_of((frames, frames)), allow_nan=False))["mean"]
    assert mean["mse"] == mean["mae"] == 0
    assert mean["psnr"] == pytest.approx(48.1308036 + 18.0617997)  # 10 log10(64)
    assert mean["ssim_uint8"] == mean["ssim_float"] == pytest.approx(1)


def test_ssim_of_two_flat_frames():
    # Without variance only luminance is left: c / (difference^2 + c), c = (0.01 * data range)^2.
    truth, prediction = zeros(1, 1, 8, 8, 3), np.ones((1, 1, 8, 8, 3))
    mean = result_of((truth, prediction))["mean"]
    assert mean["ssim_uint8"] == pytest.approx(1e-4 / (1 + 1e-4))
    assert mean["ssim_float"] == pytest.approx(4e-4 / (1 + 4e-4), rel=1e-5)


@pytest.mark.parametrize(("height", "width"), [(6, 16), (16, 6)])
def test_ssim_is_none_for_frames_below_its_window(height, width):
    result = result_of(random_pair((2, 3, height, width, 1)))
    for name in NAMES:
        expect_none = name.startswith("ssim")
        assert (result["mean"][name] is None) == expect_none
        assert [score is None for score in result["per_frame"][name]] == [expect_none] * 3


@pytest.mark.parametrize(
    ("row", "column", "level", "expected"),
    [
        (4, 4, 10, 40),  # the centre of the kernel is -4
        (4, 4, 64, 255),  # 256 saturates
        (0, 4, 10, 40),
        (1, 4, 10, 40),
    ],
)
def test_sharpness_of_a_dot(row, column, level, expected):
    frame = np.zeros((8, 8, 1), np.uint8)
    frame[row, column] = level
    assert scores.sharpness(frame) == expected


def test_sharpness_mirrors_the_border_without_repeating_it():
    # Rows 0, 10, 20, ...: the row above the first is 10 again, so 10 + 10 - 2 * 0. A repeated
    # border would give 10.
    ramp = np.broadcast_to(np.arange(0, 80, 10, np.uint8)[:, None, None], (8, 8, 1))
    assert scores.sharpness(ramp) == 20


def test_sharpness_takes_the_sharpest_channel_and_does_not_mix_channels_or_frames():
    frames = np.zeros((2, 8, 8, 2), np.uint8)
    frames[0] = 50
    frames[1, ..., 0] = 200
    frames[1, 4, 4, 1] = 3
    np.testing.assert_array_equal(scores.sharpness(frames), [0, 12])


def test_8_bit_frames_are_clipped_and_truncated():
    np.testing.assert_array_equal(scores.to_uint8([-1.0, 0.999, 0.5, 2.0]), [0, 254, 127, 255])
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(scores.to_uint8(levels / 255), levels)


def test_batches_may_be_cut_anywhere():
    truth, prediction = random_pair((5, 2, 9, 8, 2))
    whole = result_of((truth, prediction))
    cut = result_of((truth[:3], prediction[:3]), (truth[3:5], prediction[3:5]))
    assert whole["sequences"] == cut["sequences"] == 5
    for name in NAMES:
        assert cut["per_frame"][name] == pytest.approx(whole["per_frame"][name], rel=1e-12)


def test_every_sequence_of_a_ragged_batch_counts_the_same():
    dark, bright = zeros(3, 1, 8, 8, 1), np.ones((1, 1, 8, 8, 1))
    result = result_of((dark, dark), (zeros(1, 1, 8, 8, 1), bright))
    assert result["mean"]["mse"] == 64 / 4


def test_result_is_made_of_python_floats():
    result = result_of(random_pair((2, 3, 8, 8, 1)))
    assert type(result["sequences"]) is int
    assert list(result["mean"]) == list(result["per_frame"]) == NAMES
    for name in NAMES:
        assert type(result["mean"][name]) is float
        assert [type(score) for score in result["per_frame"][name]] == [float] * 3


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_prediction_that_is_not_finite_names_its_frame(value):
    truth, prediction = zeros(2, 4, 8, 8, 1), zeros(2, 4, 8, 8, 1)
    frame_scores = FrameScores()
    frame_scores.update(truth, prediction)
    prediction[1, 2, 5, 5, 0] = value
    with pytest.raises(MimError, match=r"predicted frame 3 of 4 \(sequence 4\).*diverged"):
        frame_scores.update(truth, prediction)


@pytest.mark.parametrize("value", [np.inf, -0.1, 255.0])
def test_a_truth_outside_0_to_1_is_refused(value):
    truth = zeros(1, 1, 8, 8, 1)
    truth[0, 0, 0, 0, 0] = value
    with pytest.raises(MimError, match=r"truth in \[0, 1\]"):
        FrameScores().update(truth, zeros(1, 1, 8, 8, 1))


@pytest.mark.parametrize("shape", [(1, 3, 8, 8, 1), (1, 2, 8, 8), (2, 2, 8, 8, 1)])
def test_shapes_that_do_not_match_are_refused(shape):
    with pytest.raises(MimError, match=r"one shape \[B, horizon, H, W, C\]"):
        FrameScores().update(zeros(1, 2, 8, 8, 1), zeros(*shape))


def test_another_horizon_is_refused():
    frame_scores = FrameScores()
    frame_scores.update(zeros(1, 2, 8, 8, 1), zeros(1, 2, 8, 8, 1))
    with pytest.raises(MimError, match="2 frames so far, received 1"):
        frame_scores.update(zeros(1, 1, 8, 8, 1), zeros(1, 1, 8, 8, 1))


def test_no_sequences_have_no_scores():
    with pytest.raises(MimError, match="at least one sequence"):
        FrameScores().result()


def test_a_missing_value_counts_as_predicted_exactly():
    truth, prediction = random_pair((2, 1, 8, 8, 1))
    filled, exact = truth.copy(), prediction.copy()
    truth[0, 0, 2:4] = np.nan
    filled[0, 0, 2:4] = exact[0, 0, 2:4] = 0
    assert result_of((truth, prediction)) == result_of((filled, exact))
