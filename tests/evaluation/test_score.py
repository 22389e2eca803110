"""Scores of forecasts in files: arrays, fields by valid time, and several models."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from mim_tf.config import TrainingConfig
from mim_tf.errors import MimError
from mim_tf.evaluation.baselines import won_and_lost
from mim_tf.evaluation.compare import compare
from mim_tf.evaluation.stored import read_evaluation
from mim_tf.jobs.score import list_models, score_files
from mim_tf.report.tables import score_tables
from tests import grid_files

pytestmark = pytest.mark.usefixtures("here")
FRAMES = np.random.default_rng(0).random((6, 5, 9, 8, 1), np.float32)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Pages have tests of their own.
    monkeypatch.setattr("mim_tf.jobs.evaluate.write_report_or_warn", lambda folder: None)
    return tmp_path


def score(prediction="b.npy", truth="a.npy", protocol="per_pixel", **settings):
    config = TrainingConfig(protocol=protocol, max_test_sequences=0, num_save_samples=0)
    return score_files(truth, prediction, config, **settings)


def scores_of(*arguments, **settings):
    _, (folder,) = score(*arguments, **settings)
    return read_evaluation(folder).scores


@pytest.mark.parametrize("layout", ["[N, T, H, W, C]", "[N, T, H, W]", "[N, T, C, H, W]", "uint8"])
def test_the_last_frames_are_predicted(layout):
    frames, forecast = FRAMES, np.float32(0.9) * FRAMES[:, 2:]
    if layout == "uint8":
        frames, forecast = (np.uint8(255 * each) for each in (frames, forecast))
    for name, array in (("a", frames), ("b", forecast)):
        moved = np.moveaxis(array, -1, 2) if "T, C" in layout else array
        np.save(f"{name}.npy", moved[..., 0] if layout == "[N, T, H, W]" else moved)
    found, tolerance = scores_of(), 0.1 if layout == "uint8" else 1e-5
    assert found["mean"]["mse"] == pytest.approx(
        np.square(0.1 * FRAMES[:, 2:]).mean(), rel=tolerance
    )
    assert (found["input_length"], found["sequences"]) == (2, 6)
    persistence = np.square(FRAMES[:, 1:2] - FRAMES[:, 2:]).mean()
    assert found["baselines"]["persistence"]["mean"]["mse"] == pytest.approx(persistence, rel=0.02)
    assert "mae_value" not in found["mean"]


def test_physical_values_are_scored_in_their_unit():
    values = 70 * FRAMES
    values[0, -1, 0, 0] = np.nan
    forecast = values[:, 2:] + 2
    np.save("a.npy", values)
    np.save("b.npy", forecast)
    mean = scores_of(unit="dBZ", thresholds=(35,))["mean"]
    assert mean["mae_dBZ"] == pytest.approx(2, rel=1e-5)
    # No value of the truth above 35 is missed, because all forecasts are higher.
    hits, events = ((each > 35).sum(axis=(0, 2, 3, 4)) for each in (values[:, 2:], forecast))
    assert mean["CSI_35"] == pytest.approx((hits / events).mean(), rel=1e-5)
    assert scores_of()["mean"]["rmse_value"] == pytest.approx(2, rel=1e-5)


def test_baselines_continue_from_the_last_known_values():
    values = 280 + FRAMES
    np.save("b.npy", values[:, 2:] + 5)
    values[:, 1, :4] = np.nan
    np.save("a.npy", values)
    last = np.where(np.isnan(values[:, 1:2]), values[:, :1], values[:, 1:2])
    found = scores_of(unit="K")["baselines"]["persistence"]["mean"]["mse"]
    assert found == pytest.approx(np.square(last - values[:, 2:]).mean(), rel=1e-3)


def test_without_a_context_there_are_no_baselines():
    np.save("a.npy", FRAMES)
    np.save("b.npy", FRAMES / 2)
    text, (folder,) = score()
    assert read_evaluation(folder).scores["baselines"] == {}
    assert text.endswith("Without a context there are no baselines.")


def test_a_folder_holds_a_file_for_each_model(here):
    (here / "models").mkdir()
    np.save("a.npy", FRAMES)
    for name, factor in (("Half", 0.5), ("Most", 0.9)):
        np.save(f"models/{name}.npy", FRAMES[:, 2:] * np.float32(factor))
    text, folders = score("models")
    assert "Half" in text
    assert [folder.name for folder in folders] == ["Half", "Most"]
    (difference,) = (each for each in compare(folders).differences if each.score == "mse")
    expected = (0.1**2 - 0.5**2) * np.square(FRAMES[:, 2:]).mean()
    assert difference.mean == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("protocol", "different"), [("pysteps", "FAR_30"), ("sevir", "CSI")], ids=["leads", "levels"]
)
def test_means_over_other_lead_times_or_thresholds_decide_nothing(here, protocol, different):
    """One forecast is the other, but without events at later times, or with one false alarm."""
    truth = np.zeros((12, 5, 16, 16), np.float32)
    for number, frame in np.ndindex(12, 5):
        truth[number, frame, 1 : 4 + number % 5, 2:9] = 45
    sharp = np.stack([np.roll(truth[:, 1], shift, axis=1) for shift in (0, 1, 1, 2)], axis=1)
    other = sharp.copy()
    if protocol == "pysteps":
        other[:, 2:] /= 2
    else:
        other[0, 0, 15, 15] = 65  # for which CSI is 0; without, it is not defined above 60
    (here / "models").mkdir()
    for name, array in (("a", truth), ("models/sharp", sharp), ("models/other", other)):
        np.save(f"{name}.npy", array)
    _, folders = score("models", protocol=protocol, unit="dBZ", thresholds=(30, 60))
    comparison = compare(folders)
    means = [each.scores["mean"][different] for each in comparison.evaluations]
    assert None not in means
    assert means[0] != means[1]
    found = {each.score: each for each in comparison.differences}
    assert (found[different].mean, found[different].better) == (None, None)
    assert found["CSI_30"].mean is not None
    rows = score_tables(comparison, [different, "CSI_30"])[0].rows
    cells = [cell for row in rows for cell in row[1:2]]
    assert not any(cell.is_best for cell in cells)
    (other,) = [each for each in comparison.evaluations if each.name == "other"]
    won, lost = won_and_lost(other.scores)
    assert different not in won
    assert not any(different in scores for scores in lost.values())


def test_thresholds_are_of_one_channel():
    np.save("a.npy", np.concatenate([FRAMES, 300 + FRAMES], axis=-1))
    np.save("b.npy", np.concatenate([FRAMES, 300 + FRAMES], axis=-1)[:, 2:])
    with pytest.raises(MimError, match=r"a\.npy.*--thresholds"):
        score(unit="K", thresholds=(0.5,))


def test_values_just_above_a_large_threshold_are_events():
    pressure = 101325 + np.random.default_rng(0).normal(0, 0.5, (4, 4, 16, 16)).round(2)
    truth = pressure.astype(np.float32)
    weakest = (truth > 101325.03) & (truth < 101325.09)
    np.save("a.npy", truth)
    np.save("b.npy", np.where(weakest, truth - np.float32(0.2), truth)[:, 2:])
    expected = 1 - weakest[:, 2:].sum() / (truth[:, 2:] > 101325.03).sum()
    found = scores_of(unit="Pa", thresholds=(101325.0,), protocol="pysteps")["mean"]["POD_101325"]
    assert found == pytest.approx(expected, abs=0.01)
    assert expected < 0.95


def replaced(value):
    forecast = FRAMES[:, 2:].copy()
    forecast[1, 2, 3, 4] = value
    return forecast


@pytest.mark.parametrize(
    ("truth", "forecast", "words"),
    [
        (FRAMES, FRAMES[:5, 2:], r"\[6, 5, 9, 8, 1\].*got \[5, 3, 9, 8, 1\]"),
        (FRAMES, FRAMES[:, 2:, :8], "got"),
        (FRAMES, np.concatenate([FRAMES, FRAMES], axis=1), r"got \[6, 10"),
        (FRAMES, replaced(np.nan), "frame 3 of sequence 2"),
        (FRAMES, replaced(np.inf), "frame 3 of sequence 2"),
        (FRAMES, FRAMES[:, 2:].astype(np.int32), "int32"),
        (np.full_like(FRAMES, np.nan), FRAMES[:, 2:], "got only NaN"),
        # Physical values of levels.
        (np.uint8(255 * FRAMES), 12 * FRAMES[:, 2:], r"b\.npy.*levels of a\.npy"),
    ],
)
def test_forecasts_that_do_not_fit_are_refused(truth, forecast, words):
    np.save("a.npy", truth)
    np.save("b.npy", forecast)
    with pytest.raises(MimError, match=words):
        score()


def test_forecasts_of_one_model_are_in_one_array():
    for name in ("a", "b1", "b2"):
        np.save(f"{name}.npy", FRAMES)
    with pytest.raises(MimError, match=r"b1\.npy.*b2\.npy"):
        score("b*.npy")


@pytest.mark.parametrize(
    ("truth", "forecast", "words"),
    [
        (FRAMES, 255 * FRAMES[:, 2:], "one scale"),
        (FRAMES * 0.9, FRAMES[:, 2:] + 2, "Give the --unit"),
    ],
)
def test_values_that_seem_to_be_of_another_unit_are_told(truth, forecast, words, caplog):
    np.save("a.npy", truth)
    np.save("b.npy", forecast)
    score()
    assert words in caplog.text


@pytest.mark.parametrize("kinds", [("u1", "u1"), ("u1", "f4"), ("f4", "u1")])
def test_levels_have_no_unit(kinds):
    """Levels of 0 to 70 would be scored as 0 to 0.27 dBZ."""
    for name, kind in zip(("a", "b"), kinds, strict=True):
        np.save(f"{name}.npy", (70 * FRAMES).astype(kind))
    with pytest.raises(MimError, match="--unit=dBZ"):
        score(unit="dBZ")


def test_flags_of_the_other_kind_are_refused():
    np.save("a.npy", FRAMES)
    np.save("b.npy", FRAMES)
    with pytest.raises(MimError, match="--variables of fields only"):
        score(variables=("t2m",))


TRUTH = grid_files.dataset(24).fillna(285)


def write_forecasts(first_fields, error=0.5, folder="fc", **changes):
    """Files as mim predict writes them: a forecast of 3 fields from each of `first_fields`."""
    for number, first in enumerate(first_fields):
        part = TRUTH[["t2m"]].isel(time=slice(first, first + 3))
        fields = (part + error).rename(time="lead_time")
        later = fields.lead_time.values + changes.get("later", np.timedelta64(0))
        lead = ("lead_time", 6 * np.arange(1, 4), {"units": "hours"})
        fields = fields.assign_coords(lead_time=lead, time=("lead_time", later))
        fields["t2m"].attrs["units"] = changes.get("unit", "K")
        Path(folder).mkdir(parents=True, exist_ok=True)
        fields.to_netcdf(f"{folder}/{number}.nc", engine="h5netcdf")


@pytest.mark.parametrize(("starts", "given"), [((4, 9, 15), 2), ((1, 9), 1), ((0, 9), 0)])
def test_fields_are_matched_by_their_times(starts, given):
    TRUTH.to_netcdf("truth.nc", engine="h5netcdf")
    write_forecasts(starts)
    found = scores_of("fc/*.nc", "truth.nc", thresholds=(280,))
    assert found["mean"]["mae_t2m_K"] == pytest.approx(0.5, rel=1e-4)
    assert found["mean"]["bias_t2m"] == pytest.approx(0.5, rel=1e-3)
    assert "CSI_280" in found["mean"]
    assert (found["sequences"], found["input_length"]) == (len(starts), given)
    t2m = TRUTH.t2m.values
    if given:
        errors = [t2m[first - 1] - t2m[first : first + 3] for first in starts]
        persistence = found["baselines"]["persistence"]["mean"]["mae_t2m_K"]
        assert persistence == pytest.approx(np.abs(errors).mean(), rel=1e-4)


def test_rates_of_rain_are_scored_on_sums_too():
    sums = np.abs(TRUTH[["t2m"]] - 280).assign_coords(time=TRUTH.time)
    sums["t2m"].attrs["units"] = "mm"  # in six hours
    sums.to_netcdf("truth.nc", engine="h5netcdf")
    rates = sums.isel(time=slice(4, 7)) / 6 + 0.5
    rates["t2m"].attrs["units"] = "mm/h"  # as mim predict writes them
    rates.to_netcdf("fc.nc", engine="h5netcdf")
    assert scores_of("fc.nc", "truth.nc")["mean"]["mae_t2m_mm/h"] == pytest.approx(0.5, rel=1e-4)


def test_a_folder_of_forecasts_for_each_model(here):
    TRUTH.to_netcdf("truth.nc", engine="h5netcdf")
    for name, error in (("A", 0.5), ("B", 1)):
        write_forecasts((4, 9), error, f"models/{name}")
    _, folders = score("models", "truth.nc")
    found = [json.loads((folder / "scores.json").read_text())["mean"] for folder in folders]
    assert [round(mean["mae_t2m_K"], 3) for mean in found] == [0.5, 1]


@pytest.mark.parametrize(
    ("starts", "prediction", "changes", "words"),
    [
        ((4,), "fc/0.nc", {"later": np.timedelta64(1, "h")}, "expected a field for 2015-01-02 01"),
        ((21,), "fc/0.nc", {"later": np.timedelta64(6, "h")}, "expected a field for 2015-01-07"),
        ((4,), "fc/0.nc", {"unit": "degC"}, "in K as in .*, got 3 in degC.*Convert"),
        ((4, 9), "fc", {}, r"give a pattern, such as --prediction='fc/\*.nc'"),
        ((4,), "nothing*.nc", {}, "expected forecasts"),
    ],
)
def test_fields_that_do_not_fit_are_refused(starts, prediction, changes, words):
    TRUTH.to_netcdf("truth.nc", engine="h5netcdf")
    write_forecasts(starts, **changes)
    with pytest.raises(MimError, match=words):
        score(prediction, "truth.nc")


def test_forecasts_of_different_variables_are_refused():
    TRUTH.to_netcdf("truth.nc", engine="h5netcdf")
    write_forecasts((4, 9))
    with xr.open_dataset("fc/1.nc", engine="h5netcdf") as fields:
        fields.rename(t2m="d2m").to_netcdf("fc/2.nc", engine="h5netcdf")
    Path("fc/1.nc").unlink()
    with pytest.raises(MimError, match=r"t2m .*d2m"):
        score("fc/*.nc", "truth.nc")


def test_files_of_one_name_and_two_kinds_are_two_models(tmp_path):
    for name in ("A.npy", "A.nc"):
        (tmp_path / name).touch()
    assert sorted(list_models(str(tmp_path))) == ["A.nc", "A.npy"]


def with_start(fields, time):
    start = (), time, {"standard_name": "forecast_reference_time"}
    return fields.assign_coords(forecast_reference_time=start)


@pytest.mark.parametrize(("start", "told"), [(3, False), (4, True)])
def test_baselines_that_know_later_fields_than_the_forecast_are_told(start, told, caplog):
    TRUTH.to_netcdf("truth.nc", engine="h5netcdf")
    forecast = with_start(TRUTH[["t2m"]].isel(time=slice(4, 7)), TRUTH.time.values[start])
    forecast.to_netcdf("f.nc", engine="h5netcdf")
    score("f.nc", "truth.nc")
    assert ("starts at another time" in caplog.text) == told


@pytest.mark.parametrize(("hours", "place"), [(0, 7), (3, 8)])  # fields are 6 hours apart
def test_baselines_of_one_field_begin_with_the_last_one_before_the_start(hours, place):
    TRUTH.to_netcdf("truth.nc", engine="h5netcdf")
    start = TRUTH.time.values[5] + np.timedelta64(hours, "h")
    with_start(TRUTH[["t2m"]].isel(time=[place]), start).to_netcdf("fc.nc", engine="h5netcdf")
    found = scores_of("fc.nc", "truth.nc")["baselines"]["persistence"]["mean"]["mae_t2m_K"]
    t2m = TRUTH.t2m.values
    assert found == pytest.approx(np.abs(t2m[5] - t2m[place]).mean(), rel=1e-4)


def test_a_forecast_across_a_gap_of_the_truth_is_refused():
    TRUTH.isel(time=[*range(6), *range(10, 24)]).to_netcdf("truth.nc", engine="h5netcdf")
    forecast = TRUTH[["t2m"]].isel(time=[4, 5, 10])
    forecast.to_netcdf("fc.nc", engine="h5netcdf")
    with pytest.raises(MimError, match="with gaps"):
        score("fc.nc", "truth.nc")


def test_patterns_look_into_folders():
    for name in ("x", "a/y"):
        Path("pred/a").mkdir(parents=True, exist_ok=True)
        np.save(f"pred/{name}.npy", FRAMES)
    ((name, files),) = list_models("pred/**/*.npy").items()
    assert (name, len(files)) == ("forecasts", 2)
