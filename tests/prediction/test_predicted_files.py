"""Predictions from files to files: batches, exports, and forecasts with coordinates."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import xarray as xr

from mim_tf.config import DataConfig, ModelConfig
from mim_tf.errors import MimError
from mim_tf.prediction.forecasters import Predictor, from_export, predict_files
from mim_tf.prediction.inputs import open_grid_input, open_input
from mim_tf.prediction.outputs import Output
from mim_tf.values.grid import FrameGrid
from mim_tf.values.scale import RAIN_SCALES, LinearScale
from tests import grid_files
from tests.data_examples import levels


def continued(context):
    """The mean frame of a context, plus 0.5 a frame."""
    return context.mean(axis=1, keepdims=True) + np.arange(3)[:, None, None, None] / 2


def remembering(forecast, frame_shape, context_length=None, **settings):
    """A predictor, and the contexts that it was given."""
    contexts = []
    height, width, channels = frame_shape
    sizes = {"img_height": height, "img_width": width, "img_channel": channels}
    config = ModelConfig(patch_size=1, input_length=5, total_length=8, **sizes, **settings)

    def function(context):
        contexts.append(context)
        return np.float32(forecast(context))

    return Predictor(config, frame_shape, 3, context_length, function), contexts


def opened(folder, **arrays):
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return [open_input(folder / f"{name}.npy", (4, 6, 1)) for name in arrays]


def test_every_result_belongs_to_its_input(tmp_path):
    arrays = {
        "long": levels(5, 4, 6),
        "short": levels(2, 4, 6)[::-1],
        "several": levels(4, 5, 4, 6),
        "other": 255 - levels(2, 4, 6),
    }
    outputs = [Output(tmp_path / "out" / f"{name}.npy", "npy") for name in arrays]
    predictor, contexts = remembering(continued, (4, 6, 1))
    predict_files(predictor, opened(tmp_path, **arrays), outputs, batch_size=3)
    assert [context.shape[:2] for context in contexts] == [(2, 2), (3, 5), (2, 5)]
    for array, output in zip(arrays.values(), outputs, strict=True):
        context = array.reshape(-1, array.shape[-3], 4, 6, 1) / np.float32(255)
        expected = continued(context).clip(0, 1)
        result = np.load(output.path)
        assert result.dtype == np.float32
        assert result.shape == (*array.shape[:-3], 3, 4, 6, 1)
        np.testing.assert_allclose(result.reshape(expected.shape), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "form", "message"),
    [
        ((2, 2, 4, 6), "gif", "--output"),
        ((3, 4, 6), "npy", "--context=2"),
        ((1, 4, 6), "npy", "weights file"),
    ],
)
def test_nothing_is_predicted_if_an_input_or_output_does_not_fit(shape, form, message, tmp_path):
    inputs = opened(tmp_path, a=levels(2, 4, 6), b=levels(*shape))
    outputs = [Output(tmp_path / f"out.{name}.{form}", form) for name in "ab"]
    predictor, contexts = remembering(continued, (4, 6, 1), context_length=2)
    with pytest.raises(MimError, match=message):
        predict_files(predictor, inputs, outputs)
    assert not contexts
    assert not outputs[0].path.exists()


FRAMES = np.random.default_rng(0).random((2, 4, 3, 5, 1), np.float32)


def export(folder, context=None, horizon=None, name="frames", factor=1.0):
    """A SavedModel that repeats the last frame twice, times a factor, if frames are dark."""
    module = tf.Module()
    module.factor, module.horizon = tf.Variable(factor), tf.Variable(2)

    @tf.function(input_signature=[tf.TensorSpec((None, context, 3, 5, 1), tf.float32, name)])
    def serve(frames):
        check = tf.debugging.Assert(tf.reduce_all(frames <= 1), ["frames must be dark"])
        with tf.control_dependencies([check]):
            predictions = tf.repeat(frames[:, -1:], module.horizon, axis=1) * module.factor
        return {"predictions": tf.ensure_shape(predictions, (None, horizon, 3, 5, 1))}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def test_the_newest_version_of_an_export_predicts(tmp_path):
    export(tmp_path / "model" / "9")
    export(tmp_path / "model" / "10", factor=3.0)
    (tmp_path / "model" / "11").mkdir()
    predictor = from_export(tmp_path / "model")
    assert (predictor.frame_shape, predictor.horizon) == ((3, 5, 1), 2)
    assert predictor.context_length is None
    expected = FRAMES[0, [-1, -1]] * np.float32(3)
    np.testing.assert_array_equal(predictor.forecast(FRAMES)[0], expected)
    with pytest.raises(MimError, match=r"\[2, 4, 3, 5, 1\]: .*must be dark[^\n]*$"):
        predictor.forecast(FRAMES + 1)


def test_an_export_fixes_context_and_horizon_or_is_refused(tmp_path):
    export(tmp_path / "1", context=4, horizon=2)
    predictor = from_export(tmp_path / "1", horizon=2)
    assert (predictor.horizon, predictor.context_length) == (2, 4)
    with pytest.raises(MimError, match="--horizon=2"):
        from_export(tmp_path, horizon=3)
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "saved_model.pb").write_bytes(b"nothing of the kind")
    export(tmp_path / "3", name="pictures")
    (tmp_path / "4").mkdir()
    for version, words in (("2", "2 cannot be"), ("3", "3 cannot be"), ("4", "mim export")):
        with pytest.raises(MimError, match=words):
            from_export(tmp_path / version)


SCALE = LinearScale(
    ("K", "m s-1"), (280.0, 0.0), (290.0, 3.0), False, (250.0, -9.0), (310.0, 9.0), ("t2m", "u10")
)
GRID = DataConfig(dataset="grid")


def last_field(context):
    """The last field three times."""
    return np.repeat(context[:, -1:], 3, axis=1)


def forecast(
    path,
    output,
    part=GRID,
    context=None,
    interval=None,
    shape=(6, 8, 2),
    function=last_field,
    overwrite=False,
    scale=SCALE,
    **settings,
):
    """Predicts from a file; returns the context and, if it has any, coordinates."""
    predictor, contexts = remembering(function, shape, scale=scale, **settings)
    opened, predictor = open_grid_input(str(path), predictor, "best.h5", part, context, interval)
    place = Output(output, output.suffix[1:], overwrite).named(opened.origin)
    predict_files(predictor, [opened], [place])
    output = place.path
    engine = {".nc": "h5netcdf", ".zarr": "zarr"}.get(output.suffix)
    made = engine and xr.open_dataset(output, engine=engine, decode_timedelta=False)
    return contexts[0], made


@pytest.fixture
def path(tmp_path):
    fields = grid_files.dataset(24)
    fields["t2m"][-1, 0, 0] = np.nan
    return grid_files.write(tmp_path / "in.nc", fields)


@pytest.mark.parametrize("suffix", ["nc", "zarr"])
def test_a_forecast_has_the_coordinates_of_its_input(path, tmp_path, suffix):
    fields = xr.open_dataset(path)
    context, made = forecast(path, tmp_path / f"forecast.{suffix}")
    assert context.shape == (1, 5, 6, 8, 2)
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
    assert made["lead_time"].attrs["standard_name"] == "forecast_period"
    assert made["lead_time"].values.tolist() == [6, 12, 18]
    assert made.attrs["Conventions"] == "CF-1.11"
    assert "best.h5" in made.attrs["source"]
    assert "in.nc" in made.attrs["history"]
    forecast(path, tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy")[..., 1], made["u10"].values)


def test_months_and_a_region(tmp_path):
    times = np.array([f"2020-{month:02d}-16" for month in range(5, 13)], "datetime64[ns]")
    path = grid_files.write(tmp_path / "in.zarr", grid_files.dataset(times))
    part = dataclasses.replace(GRID, region=(60, 40, -50, 50), coarsen=2)
    _, made = forecast(path, tmp_path / "out.nc", part, shape=(2, 1, 2))
    assert made["lat"].values.tolist() == [57, 45]
    assert made["lon"].values.tolist() == [337.5]
    months = ["2021-01-16", "2021-02-16", "2021-03-16"]
    np.testing.assert_array_equal(made["time"].values, np.array(months, "datetime64[ns]"))


@pytest.mark.filterwarnings("ignore:Unable to decode time axis")
@pytest.mark.parametrize(
    ("year", "days"), [(1500, ("02-28", "02-29", "03-01")), (2290, ("02-28", "03-01", "03-02"))]
)
def test_years_out_of_the_range_of_nanoseconds(tmp_path, year, days):
    pytest.importorskip("cftime", reason="cftime has dates beyond those of nanoseconds")
    times = xr.date_range(
        f"{year}-02-20", periods=8, freq="D", calendar="standard", use_cftime=True
    )
    path = grid_files.write(tmp_path / "in.nc", grid_files.dataset(times))
    _, made = forecast(path, tmp_path / "out.nc")
    assert [str(time)[5:10] for time in made["time"].values] == list(days)
    assert str(made["forecast_reference_time"].values[()])[:10] == f"{year}-02-27"


@pytest.mark.parametrize(("first", "warns"), [(23, True), (19, True), (24, False)])
def test_fields_without_values_are_told(tmp_path, caplog, first, warns):
    fields = grid_files.dataset(24)
    fields["t2m"][first:] = np.nan
    fields["t2m"][18] = np.nan  # before the context
    forecast(grid_files.write(tmp_path / "in.nc", fields), tmp_path / "out.nc")
    assert (f"{24 - first} of 5" in caplog.text) == warns


def test_a_forecast_names_no_bounds_that_it_does_not_have(tmp_path):
    fields = grid_files.dataset(24)
    fields["lat"].attrs["bounds"], fields["lat_bnds"] = "lat_bnds", (("lat", "nv"), np.ones((6, 2)))
    fields["crs"], fields["u10"].attrs["grid_mapping"] = 0, "crs: lat lon"
    fields["t2m"].attrs["grid_mapping"] = "crs: lat lon"
    fields["crs"].attrs["GeoTransform"] = "0 45 0 60 0 -6"
    _, made = forecast(grid_files.write(tmp_path / "in.nc", fields), tmp_path / "out.nc")
    assert "bounds" not in made["lat"].attrs
    assert "crs" in made.variables
    assert "GeoTransform" not in made["crs"].attrs


def test_the_context_ends_the_last_stretch(tmp_path):
    fields = grid_files.dataset(24).isel(time=[*range(15), *range(18, 24)])
    path = grid_files.write(tmp_path / "in.nc", fields)
    forecast(path, tmp_path / "out.nc", context=6)
    with pytest.raises(MimError, match=r"at least 7 .*6.*--context"):
        forecast(path, tmp_path / "other.nc", context=7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shape": (6, 6, 2)}, "--region"),
        ({"part": dataclasses.replace(GRID, variables="msl")}, "msl"),
        ({"frame_step": "3 hours"}, "3 hours.*--frame_interval"),
        ({"frame_step": "9 hours"}, "9 hours.*--frame_interval"),
        ({"frame_step": "1 month"}, "1 month.*--frame_interval"),
        ({"frame_step": "2 days"}, "at least 5 .*--frame_interval"),  # too few
        ({"frame_grid": FrameGrid.from_stored("6 lat (30 to 60) x 8 lon (0 to 315)")}, "sortby"),
    ],
)
def test_what_does_not_fit_the_network(path, tmp_path, settings, message):
    with pytest.raises(MimError, match=message):
        forecast(path, tmp_path / "out.nc", **settings)
    predictor, _ = remembering(continued, (6, 8, 2))
    with pytest.raises(MimError, match=r"best\.h5"):  # without a scale
        open_grid_input(str(path), predictor, "best.h5", GRID)


@pytest.mark.parametrize(
    ("frame_step", "asked", "interval"),
    [("18 hours", None, 3), ("6 hours", None, 1), ("", 3, 3), ("1 day", 2, 2)],
)
def test_fields_are_as_far_apart_as_in_training(
    path, tmp_path, frame_step, asked, interval, caplog
):
    context, made = forecast(path, tmp_path / "out.nc", frame_step=frame_step, interval=asked)
    expected = grid_files.dataset(24)["u10"].values[-1 - 4 * interval :: interval] / 3
    np.testing.assert_allclose(context[0, ..., 1], expected, atol=1e-6)
    assert made["lead_time"].values.tolist() == [6 * interval * k for k in (1, 2, 3)]
    assert made.attrs["comment"] == f"Fields are {6 * interval} hours apart."
    assert ("as in training" in caplog.text) == (frame_step == "1 day")  # 12 hours were asked for


def test_times_after_a_single_field_need_a_step(tmp_path):
    path = grid_files.write(tmp_path / "in.nc", grid_files.dataset(1))
    with pytest.raises(MimError, match=r"in\.nc.*--context"):
        forecast(path, tmp_path / "out.nc", context=1)
    forecast(path, tmp_path / "out.npy", context=1)
    _, made = forecast(path, tmp_path / "out.nc", context=1, frame_step="3 hours")
    assert made["lead_time"].values.tolist() == [3, 6, 9]


@pytest.mark.parametrize(
    ("unit", "lowest", "bounded"),
    [
        ("dBZ", 0, True),
        ("mm", 0, True),
        ("mm h-1", 0.5, True),
        ("mm/h", 0, True),
        ("kg m-2 s-1", 0, True),
        ("kg m**-2", 0, True),
        ("%", 3, True),
        ("dBZ", -10, False),  # the context has lower values
        ("kg m-2 s-1", -1, False),
        ("m s-1", 0, False),
        ("mmHg", 0, False),
        ("K", 3, False),  # an anomaly
        ("degC", 0, False),
    ],
)
def test_a_forecast_has_possible_values_only(tmp_path, unit, lowest, bounded):
    fields = grid_files.dataset(8)[["t2m"]]
    fields["t2m"].values[:] = lowest + 1
    fields["t2m"].values[-1, 0, 0] = lowest
    fields["t2m"].values[:, 1, 2] = np.nan  # never measured
    fields["t2m"].values[-1, 1, 3] = np.nan  # measured before
    fields["t2m"].attrs["units"] = unit
    path = grid_files.write(tmp_path / "in.nc", fields)
    scale = LinearScale((unit,), (0.0,), (10.0,), False, (0.0,), (20.0,), ("t2m",))
    _, made = forecast(
        path,
        tmp_path / "out.nc",
        shape=(6, 8, 1),
        scale=scale,
        function=lambda context: np.full((1, 3, 6, 8, 1), -0.5),
    )
    expected = np.full((3, 6, 8), 0.0 if bounded else -5.0)
    expected[:, 1, 2] = np.nan
    np.testing.assert_array_equal(made["t2m"].values, expected)


@pytest.mark.parametrize("suffix", ["nc", "zarr"])
def test_a_forecast_is_named_by_its_time_and_may_be_replaced(path, tmp_path, suffix):
    place = tmp_path / f"fc_{{time}}.{suffix}"
    _, made = forecast(path, place)
    made.close()
    written = tmp_path / f"fc_2015-01-06T1800.{suffix}"
    assert written.exists()
    with pytest.raises(MimError, match="exists already"):
        forecast(path, place)
    _, made = forecast(path, place, overwrite=True, function=lambda c: last_field(c) + 1)
    fields = xr.open_dataset(path)
    np.testing.assert_allclose(made["u10"].values[0], fields["u10"].values[-1] + 3, rtol=1e-5)
    with pytest.raises(MimError, match=r"in\.nc is the --input"):
        forecast(path, path, overwrite=True)


def test_sums_of_rain_are_predicted_as_rates(tmp_path):
    fields = grid_files.dataset(8, step="30min")[["u10"]].rename(u10="rain")
    fields["rain"] = np.abs(fields["rain"]).assign_attrs(
        units="mm", standard_name="rainfall_amount", long_name="sum of 30 minutes"
    )
    path = grid_files.write(tmp_path / "rain.nc", fields)
    _, made = forecast(
        path,
        tmp_path / "out.nc",
        shape=(6, 8, 1),
        scale=RAIN_SCALES["log"],
        frame_step="30 minutes",
    )
    attrs = made["rain"].attrs
    assert (attrs["units"], attrs["standard_name"]) == ("mm/h", "lwe_precipitation_rate")
    expected = 2 * fields["rain"].values[-1]  # mm in half an hour
    np.testing.assert_allclose(made["rain"].values[2], expected, rtol=1e-3, atol=1e-3)
