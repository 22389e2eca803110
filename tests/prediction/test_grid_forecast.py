"""Forecasts with the coordinates of their input."""

import numpy as np
import pytest
import xarray as xr

from mim_tf.config import DataConfig
from mim_tf.errors import MimError
from mim_tf.jobs.predict import predict_files
from mim_tf.prediction.inputs import has_coordinates, open_grid_input
from mim_tf.prediction.outputs import Output
from mim_tf.values.scale import LinearScale
from tests import grid_files

SCALE = LinearScale(
    ("K", "m s-1"), (280.0, 0.0), (290.0, 3.0), False, (250.0, -9.0), (310.0, 9.0), ("t2m", "u10")
)
GRID = DataConfig(dataset="grid")


class Persistence:
    """Repeats the last field of the context, which is remembered."""

    def __init__(self, frame_shape=(6, 8, 2), scale=SCALE, frame_step="", frame_grid=""):
        self.frame_shape, self.scale, self.frame_step = frame_shape, scale, frame_step
        self.frame_grid = frame_grid
        self.horizon, self.input_length, self.context_length = 3, 5, None

    def __call__(self, context):
        self.context = context
        return np.repeat(context[:, -1:], self.horizon, axis=1)


def forecast(path, output, predictor=None, part=GRID, context=None, interval=None):
    predictor = predictor or Persistence()
    opened = open_grid_input(str(path), predictor, "best.h5", part, context, interval)
    predict_files(predictor, [opened], [Output(output, output.suffix[1:])])
    return predictor


@pytest.mark.parametrize("suffix", ["nc", "zarr"])
def test_a_forecast_has_the_coordinates_of_its_input(tmp_path, suffix):
    fields = grid_files.dataset(24)
    fields["t2m"][-1, 0, 0] = np.nan
    output = tmp_path / f"forecast.{suffix}"
    predictor = forecast(grid_files.write(tmp_path / "in.nc", fields), output)
    made = xr.open_dataset(output, engine="zarr" if suffix == "zarr" else "h5netcdf")
    assert predictor.context.shape == (1, 5, 6, 8, 2)
    assert made["t2m"].dims == ("lead_time", "lat", "lon")
    for name, missing in (("t2m", 280.0), ("u10", 0.0)):
        last = np.nan_to_num(fields[name].values[-1], nan=missing)
        np.testing.assert_allclose(made[name].values, np.stack([last] * 3), rtol=1e-5, atol=1e-5)
        assert made[name].attrs["units"] == fields[name].attrs["units"]
    assert made["t2m"].attrs["long_name"] == "2 metre temperature"
    for name in ("lat", "lon"):
        xr.testing.assert_identical(
            made[name].drop_vars(made[name].coords.keys() - {name}), fields[name]
        )
    assert made["forecast_reference_time"].values == fields["time"].values[-1]
    steps = np.array([6, 12, 18], "timedelta64[h]")
    np.testing.assert_array_equal(made["time"].values, fields["time"].values[-1] + steps)
    lead = made["lead_time"]
    assert lead.attrs["standard_name"] == "forecast_period"
    hours = lead.values / np.timedelta64(1, "h") if lead.dtype.kind == "m" else lead.values
    assert hours.tolist() == [6, 12, 18]
    assert made.attrs["Conventions"] == "CF-1.11"
    assert "best.h5" in made.attrs["source"]
    assert "in.nc" in made.attrs["history"]


def test_arrays_and_pictures_of_fields_too(tmp_path):
    fields = grid_files.dataset(24)
    path = grid_files.write(tmp_path / "in.nc", fields)
    forecast(path, tmp_path / "out.npy")
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy")[0, ..., 1], fields["u10"][-1], atol=1e-5
    )


def test_a_forecast_can_be_predicted_from(tmp_path):
    path = grid_files.write(tmp_path / "in.nc", grid_files.dataset(24))
    forecast(path, tmp_path / "first.nc")
    forecast(tmp_path / "first.nc", tmp_path / "second.nc", context=2)
    later = xr.open_dataset(tmp_path / "second.nc")["time"].values
    assert later[0] == np.datetime64("2015-01-07T18:00")


def test_months_and_a_region(tmp_path):
    times = np.array([f"2020-{month:02d}-16" for month in range(5, 13)], "datetime64[ns]")
    path = grid_files.write(tmp_path / "in.zarr", grid_files.dataset(times))
    part = DataConfig(dataset="grid", region=(60, 40, -50, 50), coarsen=2)
    forecast(path, tmp_path / "out.nc", Persistence((2, 1, 2)), part)
    made = xr.open_dataset(tmp_path / "out.nc")
    assert made["lat"].values.tolist() == [57, 45]
    assert made["lon"].values.tolist() == [337.5]
    months = ["2021-01-16", "2021-02-16", "2021-03-16"]
    np.testing.assert_array_equal(made["time"].values, np.array(months, "datetime64[ns]"))


@pytest.mark.filterwarnings("ignore:Unable to decode time axis")
@pytest.mark.parametrize("year", [1500, 2290])
def test_years_that_nanoseconds_do_not_reach(tmp_path, year):
    pytest.importorskip("cftime", reason="cftime has dates beyond those of nanoseconds")
    times = xr.date_range(
        f"{year}-02-20", periods=8, freq="D", calendar="standard", use_cftime=True
    )
    path = grid_files.write(tmp_path / "in.nc", grid_files.dataset(times))
    forecast(path, tmp_path / "out.nc")
    made = xr.open_dataset(tmp_path / "out.nc", decode_timedelta=False)
    assert made["lead_time"].values.tolist() == [24, 48, 72]
    assert [str(time)[:10] for time in made["time"].values] == [
        f"{year}-{day}"
        for day in (("02-28", "02-29", "03-01") if year == 1500 else ("02-28", "03-01", "03-02"))
    ]
    assert str(made["forecast_reference_time"].values[()])[:10] == f"{year}-02-27"


def test_the_context_ends_the_last_stretch(tmp_path):
    fields = grid_files.dataset(24).isel(time=[*range(15), *range(18, 24)])
    path = grid_files.write(tmp_path / "in.nc", fields)
    forecast(path, tmp_path / "out.nc", context=6)
    with pytest.raises(
        MimError, match=r"at least 7 fields without a gap .* received 6, from 2015-"
    ):
        forecast(path, tmp_path / "other.nc", context=7)


@pytest.mark.parametrize(
    ("predictor", "part", "message"),
    [
        (Persistence(scale=None), GRID, "weights that know what values stand for"),
        (Persistence((6, 6, 2)), GRID, r"model's are, received \(6, 8, 2\). Give the --region"),
        (
            Persistence(),
            DataConfig(dataset="grid", variables="u10,u10"),
            "u10: expected values in K",
        ),
        (Persistence(), DataConfig(dataset="grid", variables="msl"), "expected the variable msl"),
    ],
)
def test_what_does_not_fit_the_model(tmp_path, predictor, part, message):
    path = grid_files.write(tmp_path / "in.nc", grid_files.dataset(24))
    with pytest.raises(MimError, match=message):
        forecast(path, tmp_path / "out.nc", predictor, part)


@pytest.mark.parametrize(
    ("frame_step", "asked", "interval"),
    [("18 hours", None, 3), ("6 hours", None, 1), ("", None, 1), ("", 3, 3), ("1 day", 2, 2)],
)
def test_fields_are_as_far_apart_as_in_training(tmp_path, frame_step, asked, interval):
    fields = grid_files.dataset(24)
    path = grid_files.write(tmp_path / "in.nc", fields)
    predictor = Persistence(frame_step=frame_step)
    forecast(path, tmp_path / "out.nc", predictor, interval=asked)
    expected = fields["u10"].values[-1 - 4 * interval :: interval] / 3
    np.testing.assert_allclose(predictor.context[0, ..., 1], expected, atol=1e-6)
    made = xr.open_dataset(tmp_path / "out.nc", decode_timedelta=False)
    assert made["lead_time"].values.tolist() == [6 * interval * k for k in (1, 2, 3)]
    step = f"{6 * interval} hours"
    assert made.attrs["comment"] == f"Fields are {step} apart."


@pytest.mark.parametrize("frame_step", ["3 hours", "9 hours", "1 month"])
def test_fields_that_are_not_as_far_apart_as_in_training(tmp_path, frame_step):
    path = grid_files.write(tmp_path / "in.nc", grid_files.dataset(24))
    with pytest.raises(
        MimError, match=f"in.nc: expected fields {frame_step} apart.* received 6 hours.*_interval=N"
    ):
        forecast(path, tmp_path / "out.nc", Persistence(frame_step=frame_step))


def test_fields_lie_as_in_training(tmp_path):
    path = grid_files.write(tmp_path / "in.nc", grid_files.dataset(24))
    forecast(path, tmp_path / "a.nc", Persistence(frame_grid="6 lat (60 to 30) x 8 lon (0 to 315)"))
    turned = Persistence(frame_grid="6 lat (30 to 60) x 8 lon (0 to 315)")
    with pytest.raises(MimError, match=r"in.nc: expected lat from 30 to 60.*\.sortby"):
        forecast(path, tmp_path / "b.nc", turned)


def test_too_few_fields_that_far_apart(tmp_path):
    path = grid_files.write(tmp_path / "in.nc", grid_files.dataset(24))
    with pytest.raises(
        MimError, match=r"at least 5 fields 2 days apart, without a gap .* received 3"
    ):
        forecast(path, tmp_path / "out.nc", Persistence(frame_step="2 days"))


def test_times_after_a_single_field_need_a_step(tmp_path):
    path = grid_files.write(tmp_path / "in.nc", grid_files.dataset(1))
    with pytest.raises(MimError, match=r"in.nc: expected at least 2 fields, which say how far"):
        forecast(path, tmp_path / "out.nc", context=1)
    forecast(path, tmp_path / "out.npy", context=1)
    forecast(path, tmp_path / "out.nc", Persistence(frame_step="3 hours"), context=1)
    made = xr.open_dataset(tmp_path / "out.nc", decode_timedelta=False)
    assert made["lead_time"].values.tolist() == [3, 6, 9]


def test_an_input_without_coordinates_gives_none():
    with pytest.raises(MimError, match="expected an input with coordinates"):
        Output("out.nc", "nc").check(1, False)


def test_what_has_coordinates(tmp_path):
    grid_files.write(tmp_path / "in.nc", grid_files.dataset(2))
    (tmp_path / "empty").mkdir()
    found = [
        has_coordinates(str(tmp_path / name)) for name in ("in.nc", "*.nc", "", "empty", "a.npy")
    ]
    assert found == [True, True, True, False, False]
