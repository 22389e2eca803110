"""Scores of fields, and power spectra."""

import json
import math

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from mim_tf.data.files.arrays import ArraySource
from mim_tf.errors import MimError
from mim_tf.evaluation.fields import FieldScores, PowerSpectra, climatology_of, radial_power, rings
from mim_tf.evaluation.protocols import scores_for
from mim_tf.evaluation.statistics import Scores
from mim_tf.values.scale import RAIN_SCALES, LinearScale
from tests.small_sources import Gappy

LATITUDES = [75.0, 0.0, -60.0]
KELVIN = LinearScale("K", 200, 300)


def frames(missing=0.0, shape=(4, 2, 3, 5, 2)):
    rng = np.random.default_rng(0)
    truth, prediction = rng.random(shape, np.float32), rng.random(shape, np.float32)
    truth[rng.random(shape) < missing] = np.nan
    return truth, prediction, rng.random(shape[2:], np.float32)


def result_of(truth, prediction, climatology, variables=("t", "u"), scale=KELVIN):
    scores = Scores(FieldScores(LATITUDES, climatology, scale, variables))
    scores.update(truth, prediction)
    return scores.result()


@pytest.mark.parametrize("missing", [0, 0.2])
def test_scores_are_weighted_by_the_areas_of_known_values(missing):
    truth, prediction, climatology = frames(missing)
    result = result_of(truth, prediction, climatology)["per_frame"]
    f, o, c = (100 * part.astype(float) for part in (prediction, truth, climatology))
    areas = np.cos(np.radians(LATITUDES))[:, None, None] * ~np.isnan(truth)

    def total(values):
        return np.nansum(areas * values, axis=(0, 2, 3))

    expected = {
        "RMSE": np.sqrt(total((f - o) ** 2) / total(1)),
        "bias": total(f - o) / total(1),
        "ACC": total((f - c) * (o - c)) / np.sqrt(total((f - c) ** 2) * total((o - c) ** 2)),
    }
    for name, values in expected.items():
        for variable, of_variable in zip("tu", values.T, strict=True):
            assert result[f"{name}_{variable}"] == pytest.approx(list(of_variable), rel=1e-3)


def test_perfect_and_climatological_forecasts():
    truth, _, climatology = frames()
    perfect = result_of(truth, truth, climatology)["mean"]
    assert (perfect["RMSE_t"], perfect["bias_t"]) == (0, 0)
    assert perfect["ACC_t"] == pytest.approx(1)
    still = result_of(truth, np.broadcast_to(climatology, truth.shape), climatology)["mean"]
    assert still["ACC_t"] is None
    assert result_of(truth, truth + 0.25, climatology)["mean"]["bias_t"] == pytest.approx(25, 1e-4)


def globe(truth):
    source = ArraySource(truth)
    source.latitude = np.array(LATITUDES)
    return source


def test_a_source_with_latitudes_is_scored_by_area():
    truth, prediction, climatology = frames()
    source = globe(truth)
    scores = scores_for(source, "per_pixel")
    scores.update(truth, prediction)
    plain = scores.result()["mean"]
    names = [f"{name}_{channel}" for name in ("RMSE", "ACC", "bias") for channel in "12"]
    assert list(plain)[3:] == names
    # Without a climatology of its own: the mean of its frames.
    expected = result_of(truth, prediction, truth.mean(axis=(0, 1)), "12", scale=None)["mean"]
    assert {name: plain[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    source.climatology, source.names, source.scale = climatology, ("t", "u"), KELVIN
    scores = scores_for(source, "per_pixel")
    scores.update(truth, prediction)
    expected = result_of(truth, prediction, climatology)["mean"]
    assert {name: scores.result()["mean"][name] for name in expected} == expected


def test_the_climatology_leaves_out_missing_values():
    truth, *_ = frames(missing=0.3)
    found = climatology_of(Gappy(np.nan_to_num(truth)))
    np.testing.assert_allclose(found, np.nanmean(truth, axis=(0, 1)), rtol=1e-5)


@pytest.mark.parametrize("kind", ["log", "dbz"])
def test_rain_is_averaged_in_mm_per_hour_and_limited_as_in_predictions(kind):
    scale = RAIN_SCALES[kind]
    source = ArraySource(scale.to_unit(np.float32([0, 0, 0, 20]).reshape(1, 4, 1, 1, 1)))
    source.scale = scale
    assert scale.to_physical(climatology_of(source)).item() == pytest.approx(5, rel=1e-3)
    truth = scale.to_unit(np.full((1, 1, 9, 9, 1), 10.0))
    scores = Scores(FieldScores(np.linspace(50, 55, 9), np.zeros((9, 9, 1)), scale, ["rain"]))
    scores.update(truth, np.full_like(truth, 1.05))
    assert scores.result()["mean"]["RMSE_rain"] == pytest.approx(190, rel=1e-3)  # of 200


@pytest.mark.parametrize(
    ("latitudes", "named"),
    [
        ([91, 0, 0], "-90 to 90"),
        ([math.nan, 0, 0], "-90 to 90"),
        (np.zeros(7), "3 rows"),
    ],
)
def test_what_is_no_latitude_is_refused(latitudes, named):
    source = globe(frames()[0])
    source.latitude = np.array(latitudes)
    with pytest.raises(MimError, match=named):
        scores_for(source)


def spectrum_of(truth, prediction):
    scores = Scores(PowerSpectra())
    scores.update(truth, prediction)
    return scores.result()["mean"]["power_ratio"], scores.details()["spectra"]


def noise(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


def test_the_power_of_white_noise_is_its_variance_at_every_wavelength():
    power = radial_power(noise(200, 32, 40, 1)).mean(axis=1)
    assert power == pytest.approx(np.full(len(power), 1 / 12), rel=0.15)


@pytest.mark.parametrize(("number", "axis"), [(1, 0), (5, 1), (20, 0), (31, 1)])
def test_a_wave_is_in_the_ring_of_its_wavelength(number, axis):
    wave = np.cos(np.pi * (np.arange(32) + 0.5) * number / 32)
    frame = np.broadcast_to(np.expand_dims(wave, 1 - axis), (32, 32))[None, ..., None]
    power = radial_power(frame)[:, 0]
    ring = np.argmax(power)
    # A wave has a length of 2 * 32 / number pixels, and its mean square is 1/2.
    assert rings(32, 32).wavelength[ring] == pytest.approx(64 / number, rel=0.25)
    assert power[ring] * rings(32, 32).counts[ring] == pytest.approx(32 * 32 / 2)
    assert np.delete(power, ring) == pytest.approx(0)


def test_power_ratio_is_a_number_for_blurring():
    truth = noise(3, 2, 32, 32, 1)
    assert spectrum_of(truth, truth)[0] == 1
    assert spectrum_of(truth, truth / 2)[0] == pytest.approx(1 / 4)
    blurred = uniform_filter(truth, (0, 0, 5, 5, 0))
    ratio, spectra = spectrum_of(truth, blurred)
    assert 0 < ratio < 0.2
    assert json.loads(json.dumps(spectra, allow_nan=False)) == spectra
    assert np.shape(spectra["truth"]) == (2, len(spectra["wavelength"]))
    long, short = (np.array(spectra["prediction"]) / spectra["truth"])[0][[0, -1]]
    assert short < 0.1 < 0.5 < long


def test_what_has_no_detail_has_no_ratio():
    still = np.full((1, 2, 16, 16, 1), 0.5, np.float32)
    assert spectrum_of(still, noise(1, 2, 16, 16, 1))[0] is None
    assert spectrum_of(still[:, :, :1], still[:, :, :1])[0] is None


def test_missing_values_are_left_out_of_both_spectra():
    # Between 0.99 and 1, where a gap of zeros would have more power than all else.
    noises = (noise(2, 1, 16, 16, 1)[order] for order in ([0, 1], [1, 0]))
    truth, prediction = (np.float32(0.99) + each / 100 for each in noises)
    gappy, other = truth.copy(), prediction.copy()
    gappy[:, :, 4:7] = np.nan
    other[:, :, 4:7] = 5
    known = np.delete(truth, slice(4, 7), axis=2).mean(axis=(2, 3), keepdims=True)
    truth[:, :, 4:7] = prediction[:, :, 4:7] = known
    (ratio, spectra), (right, same) = spectrum_of(gappy, other), spectrum_of(truth, prediction)
    assert ratio == pytest.approx(right, rel=1e-4)
    for name, values in same.items():
        np.testing.assert_allclose(spectra[name], values, rtol=1e-3)
