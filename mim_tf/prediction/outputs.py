"""Files predictions are written to."""

import dataclasses
import os
from pathlib import Path

import imageio.v3 as imageio
import numpy as np

from mim_tf.errors import MimError
from mim_tf.evaluation.errors import to_uint8
from mim_tf.evaluation.pictures import MILLISECONDS_PER_FRAME, shown_frames, write_picture
from mim_tf.prediction.forecast_file import ForecastOrigin, write_forecast
from mim_tf.storage.paths import check_free, written_whole
from mim_tf.values.scale import UNIT, LinearScale

FORMS = {
    "npy": ".npy",
    "gif": ".gif",
    "mp4": ".mp4",
    "images": "",
    "nc": ".nc",
    "zarr": ".zarr",
}
"""Suffixes of what can be made; images are a folder."""

_WITH_COORDINATES = ("nc", "zarr")


@dataclasses.dataclass(frozen=True)
class Output:
    """Where a prediction is written, and in which of the `FORMS`."""

    path: Path
    form: str

    def check(
        self,
        channels: int,
        batch_axis: bool,
        has_coordinates: bool = False,
        scale: LinearScale = UNIT,
    ) -> None:
        """Raises `MimError` if such frames, or several sequences, cannot have this form."""
        if self.form == "npy":
            return
        if self.form in _WITH_COORDINATES:
            if not has_coordinates:
                raise MimError(
                    f"{self.path}: expected an input with coordinates (NetCDF, Zarr, GRIB), whose "
                    "coordinates the forecast takes, received another. Name the output .npy."
                )
            return
        if batch_axis:
            raise MimError(
                f"{self.path}: an input with a batch axis gives several sequences, which only a "
                ".npy file holds. Name the output .npy, or leave --format out."
            )
        if channels not in (1, 3) and not scale.names:
            raise MimError(
                f"{self.path}: pictures have 1 or 3 channels, the model's frames {channels}. Name "
                "the output .npy, or leave --format out."
            )

    def write(
        self,
        frames: np.ndarray,
        scale: LinearScale = UNIT,
        origin: ForecastOrigin | None = None,
    ) -> None:
        """Writes a prediction, whole or not at all; nothing that exists is replaced.

        `.npy` holds physical values, float32, or frames that have none; so do NetCDF and Zarr, see
        `ForecastOrigin`. Pictures hold levels 0..255, truncated as in the 2019 code: images are
        `pd1.png ...`, one pixel a value; GIF and MP4 show five frames a second. A GIF merges frames
        that do not change; an MP4 (H.264, lossy) shows a value as 2 x 2 pixels if height or width
        is odd. Of channels with names, which are no colours, they show the first.

        Args:
            frames: `[horizon, H, W, C]`, in a `.npy` also `[N, horizon, H, W, C]`.
            scale: of the frames; by default they are in [0, 1].
            origin: for NetCDF and Zarr, what the forecast starts from.

        Raises:
            MimError: if it exists already or cannot be written.
        """
        is_picture = self.form not in ("npy", *_WITH_COORDINATES)
        frames = shown_frames(frames, scale) if is_picture else scale.to_physical(frames)
        with written_whole(self.path, FORMS[self.form], "--output") as part:
            if self.form in _WITH_COORDINATES:
                write_forecast(part, frames, origin)
            else:
                _WRITERS[self.form](part, frames)


def name_outputs(
    inputs: list[Path], many: bool, output: str | Path, form: str | None = None
) -> list[Output]:
    """Where the prediction of each input is written.

    Args:
        inputs: paths as from `list_inputs`.
        many: whether they are those of a folder; `output` is then the folder for the results,
            which have the names of the inputs.
        output: otherwise, the file or folder to make; its suffix tells the form.
        form: of the results of many inputs, one of `FORMS`. None: npy.

    Raises:
        MimError: if one exists already, two would have the same name, or the form is unknown or
            given twice.
    """
    output = Path(output)
    if many:
        form = form or "npy"
        names = [path.name if os.path.isdir(path) else path.stem for path in inputs]
        if output.suffix in filter(None, FORMS.values()) or (
            os.path.lexists(output) and not os.path.isdir(output)
        ):
            raise MimError(
                f"{output}: the output of a folder of inputs is a folder too. Give its name; "
                "--format says what to make in it."
            )
        outputs = [Output(output / f"{name}{FORMS[form]}", form) for name in names]
    else:
        outputs = [Output(output, _form(output, form))]
    paths = [made.path for made in outputs]
    for number, path in enumerate(paths):
        if path in paths[:number]:
            twice = inputs[paths.index(path)]
            raise MimError(
                f"{twice} and {inputs[number]} would both become {path}. Rename one of them."
            )
        check_free(path, "--output")
    return outputs


def _form(output, asked):
    if asked is not None:
        raise MimError(
            "--format is for a folder of inputs; with one input, the name of the output says it: "
            f"{output}. Leave --format out."
        )
    for form, suffix in FORMS.items():
        if output.suffix.lower() == suffix:
            return form
    raise MimError(
        f"{output}: expected a name that ends in .npy, .gif, .mp4, .nc or .zarr, or one without "
        f"suffix for a folder of images, received {output.suffix}."
    )


def _write_images(folder, frames):
    folder.mkdir()
    for number, frame in enumerate(_levels(frames), 1):
        write_picture(folder / f"pd{number}.png", frame)


def _write_gif(path, frames):
    duration = MILLISECONDS_PER_FRAME
    write_picture(path, _levels(frames), duration=duration, loop=0)


def _write_mp4(path, frames):
    levels = to_uint8(frames)
    if levels.shape[1] % 2 or levels.shape[2] % 2:
        # H.264 players expect colours at half the resolution, so even sizes.
        levels = levels.repeat(2, axis=1).repeat(2, axis=2)
    if levels.shape[-1] == 1:
        levels = levels.repeat(3, axis=-1)
    imageio.imwrite(
        path,
        levels,
        plugin="pyav",
        codec="libx264",
        fps=1000 // MILLISECONDS_PER_FRAME,
        out_pixel_format="yuv420p",
    )


def _levels(frames):
    levels = to_uint8(frames)
    return levels[..., 0] if levels.shape[-1] == 1 else levels


_WRITERS = {"npy": np.save, "gif": _write_gif, "mp4": _write_mp4, "images": _write_images}
