import json

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from mim_tf.evaluation.fields import PowerSpectra, radial_power, rings


def result_of(truth, prediction):
    scores = PowerSpectra()
    scores.update(truth, prediction)
    return scores.result()["mean"]["power_ratio"], scores.details()["spectra"]


def noise(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


def test_the_power_of_white_noise_is_its_variance_at_every_wavelength():
    power = radial_power(noise(200, 32, 40, 1)).mean(axis=1)
    assert power == pytest.approx(np.full(len(power), 1 / 12), rel=0.15)


@pytest.mark.parametrize("number", [1, 5, 20, 31])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_wave_is_in_the_ring_of_its_wavelength(number, axis):
    wave = np.cos(np.pi * (np.arange(32) + 0.5) * number / 32)
    frame = np.broadcast_to(np.expand_dims(wave, 1 - axis), (32, 32))[None, ..., None]
    power = radial_power(frame)[:, 0]
    ring = np.argmax(power)
    # A wave has a length of 2 * 32 / number pixels, and its mean square is 1/2.
    assert rings(32, 32).wavelength[ring] == pytest.approx(64 / number, rel=0.25)
    assert power[ring] * rings(32, 32).counts[ring] == pytest.approx(32 * 32 / 2)
    assert np.delete(power, ring) == pytest.approx(0)


def test_rings_hold_every_wavenumber_up_to_the_shortest_wave_once():
    found = rings(30, 50)
    assert len(set(found.order.tolist())) == len(found.order) == found.counts.sum()
    rows, columns = np.divmod(found.order, 50)
    number = np.hypot(rows / 30, columns / 50) * 30
    assert ((number >= 1) & (number < 30)).all()
    assert (np.diff(found.wavelength) < 0).all()
    assert len(found.counts) <= 24


def test_power_ratio_is_a_number_for_blurring():
    truth = noise(3, 2, 32, 32, 1)
    assert result_of(truth, truth)[0] == 1
    assert result_of(truth, truth / 2)[0] == pytest.approx(1 / 4)
    blurred = uniform_filter(truth, (0, 0, 5, 5, 0))
    ratio, spectra = result_of(truth, blurred)
    assert 0 < ratio < 0.2
    assert json.loads(json.dumps(spectra, allow_nan=False)) == spectra
    assert np.shape(spectra["truth"]) == (2, len(spectra["wavelength"]))
    long, short = (np.array(spectra["prediction"]) / spectra["truth"])[0][[0, -1]]
    assert short < 0.1 < 0.5 < long


def test_what_has_no_detail_has_no_ratio():
    still = np.full((1, 2, 16, 16, 1), 0.5, np.float32)
    assert result_of(still, noise(1, 2, 16, 16, 1))[0] is None
    assert result_of(still[:, :, :1], still[:, :, :1])[0] is None


def test_missing_values_are_left_out_of_both():
    truth, prediction = noise(2, 1, 16, 16, 1), noise(2, 1, 16, 16, 1)[::-1].copy()
    gappy, other = truth.copy(), prediction.copy()
    gappy[:, :, 4:7] = np.nan
    other[:, :, 4:7] = 5
    truth[:, :, 4:7] = prediction[:, :, 4:7] = 0
    assert result_of(gappy, other) == result_of(truth, prediction)


def test_merged_spectra_are_those_of_all_sequences():
    truth, prediction = noise(3, 2, 16, 16, 1), noise(3, 2, 16, 16, 1)[::-1]
    whole, first, second, empty = (PowerSpectra() for _ in range(4))
    whole.update(truth, prediction)
    first.update(truth[:1], prediction[:1])
    second.update(truth[1:], prediction[1:])
    empty.merge(first)
    empty.merge(second)
    assert empty.details() == whole.details()
