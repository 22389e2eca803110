"""Pictures of a predicted sequence: single frames, and an animation next to the truth."""

import math
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from PIL import GifImagePlugin, Image, ImageDraw, ImageFont, ImageOps

from mim_tf.data.source import SequenceSource, filled
from mim_tf.errors import MimError
from mim_tf.evaluation.errors import to_uint8
from mim_tf.storage.files import write_bytes, write_npz
from mim_tf.values.scale import UNIT, LinearScale

SMALLEST_HEIGHT = 256
MILLISECONDS_PER_FRAME = 200
BORDER = 6
GAP = 10
SPACE = 2
LINE = 24
"""Height of a line of text above and below a picture of an animation."""

FONT_SIZE = 16
TEXT_WIDTH = 100
"""Pixels for the text above the right picture."""

BACKGROUND = (255, 255, 255)
CONTEXT = (128, 128, 128)
PREDICTED = (235, 110, 20)
INK = (0, 0, 0)


def save_sample(
    folder: str | Path,
    truth,
    prediction,
    input_length: int,
    scale: LinearScale | None = None,
    south_first: bool = False,
) -> None:
    """Write `gt1.png ... gtT.png`, `pd{input_length + 1}.png ... pdT.png` and an animation.

    The PNG files have the names and the truncating 8-bit conversion of 2019 code, and a pixel is
    one value. `truth_and_prediction.gif` shows `side_by_side`, five frames per second, in a loop.
    With a scale, `values.npz` holds `truth` and `prediction` in its `unit`, NaN where missing.
    2019 code emptied its folder first; here other files in it stay, and the folder is made. Each
    file is written atomically; `OSError` is raised if that fails.

    Args:
        folder: pictures of the same names are replaced.
        truth: `[T, H, W, C]`, floats; NaN where a value is missing, which pictures show as 0.
            Shown as RGB with three channels, else the first channel as grey (of traffic: inflow).
        prediction: `[T - input_length, H, W, C]`, floats, not clipped.
        input_length: number of context frames.
        scale: of data that has physical values.
        south_first: whether the pictures, not the values, are turned upside down.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    shown = [upright(frames, south_first) for frames in (truth, prediction)]
    animation = side_by_side(shown[0], shown[1], input_length, scale)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, first, frames in zip(("gt", "pd"), (1, input_length + 1), shown, strict=True):
        for number, frame in enumerate(to_uint8(shown_frames(frames, scale)), first):
            picture = frame if frame.shape[-1] == 3 else frame[..., 0]
            write_bytes(folder / f"{prefix}{number}.png", png(picture))
    write_bytes(folder / "truth_and_prediction.gif", gif(animation))
    if scale:
        write_npz(
            folder / "values.npz",
            unit=np.array(scale.unit),
            truth=scale.to_physical(truth),
            prediction=scale.to_physical(scale.clip(prediction)),
        )


# Pictures and videos are made in memory. On a full disk, imageio and PyAV would try again when
# their file object is collected, and print a traceback then.


def upright(frames: np.ndarray, south_first: bool) -> np.ndarray:
    """Return frames `[..., H, W, C]` with the north at the top."""
    return frames[..., ::-1, :, :] if south_first else frames


def png(picture: np.ndarray) -> bytes:
    """Return a picture `[H, W]` or `[H, W, 3]`, uint8, as a PNG file."""
    return imageio.imwrite("<bytes>", picture, extension=".png", plugin="pillow")


def mp4(frames: np.ndarray) -> bytes:
    """Return frames `[T, H, W, 1 or 3]`, uint8, as a video of H.264, five a second."""
    if frames.shape[1] % 2 or frames.shape[2] % 2:
        # Players of H.264 expect colours at half the resolution, so even sizes.
        frames = frames.repeat(2, axis=1).repeat(2, axis=2)
    frames = frames.repeat(3 // frames.shape[-1], axis=-1)
    h264 = {"plugin": "pyav", "codec": "libx264", "out_pixel_format": "yuv420p"}
    rate = 1000 // MILLISECONDS_PER_FRAME
    return imageio.imwrite("<bytes>", frames, extension=".mp4", fps=rate, **h264)


def gif(frames: np.ndarray) -> bytes:
    """Return frames `[T, H, W]` or `[T, H, W, 3]`, uint8, as a GIF of five a second, in a loop.

    Every frame is in the file with its duration. Pillow itself merges frames that do not change,
    so that a reader finds fewer.
    """
    content, shown = [], None
    for frame in frames:
        picture = Image.fromarray(frame)
        picture = picture.convert("P", palette=Image.Palette.ADAPTIVE)
        if shown is None:
            header, _ = GifImagePlugin.getheader(picture.copy(), info={"loop": 0})
            content, box = header, (0, 0, *picture.size)
        else:
            changed = (frame != shown).reshape(*frame.shape[:2], -1).any(axis=-1)
            box = Image.fromarray(changed).getbbox() or (0, 0, 1, 1)
        shown = frame
        options = {"duration": MILLISECONDS_PER_FRAME, "include_color_table": True}
        content += GifImagePlugin.getdata(picture.crop(box), box[:2], **options)
    return b"".join([*content, b";"])


def side_by_side(truth, prediction, input_length: int, scale=None) -> np.ndarray:
    """Return RGB frames `[T, h, w, 3]`, uint8: truth on the left; context, then prediction, right.

    The border on the right is grey around context and orange around predictions. Frames are
    enlarged by a whole factor, to 256 pixels of height at least. A line above the pictures says
    what they are, a line below counts frames. Arguments as in `save_sample`.
    """
    truth, prediction = _shown_pair(truth, prediction, input_length, scale)
    shown = np.concatenate([truth[:input_length], prediction])
    left, right = (_enlarged(frames, SMALLEST_HEIGHT) for frames in (truth, shown))
    height, width = (side + 2 * BORDER for side in left.shape[1:3])
    place, horizon = width + GAP, len(truth) - input_length
    size = place + max(width, TEXT_WIDTH), height + 2 * LINE
    font, frames = ImageFont.load_default(FONT_SIZE), []
    for number, (ours, theirs) in enumerate(zip(left, right, strict=True)):
        if number < input_length:
            what, colour, count = "context", CONTEXT, f"context {number + 1} of {input_length}"
        else:
            lead_time = f"lead time {number + 1 - input_length} of {horizon}"
            what, colour, count = "forecast", PREDICTED, lead_time
        canvas = Image.new("RGB", size, BACKGROUND)
        for x, picture, border in ((0, ours, CONTEXT), (place, theirs, colour)):
            canvas.paste(ImageOps.expand(Image.fromarray(picture), BORDER, border), (x, LINE))
        draw = ImageDraw.Draw(canvas)
        for position, text in (
            ((BORDER, 2), "truth"),
            ((place + BORDER, 2), what),
            ((BORDER, LINE + height + 2), count),
        ):
            draw.text(position, text, fill=INK, font=font)
        frames.append(np.asarray(canvas))
    return np.stack(frames)


def film_strip(truth, prediction, input_length: int, scale=None) -> np.ndarray:
    """Return the frames to predict in a row, predictions in a row below: `[2 H, horizon W, 3]`."""
    truth, prediction = _shown_pair(truth, prediction, input_length, scale)
    rows = [np.concatenate(_rgb(frames), axis=1) for frames in (truth[input_length:], prediction)]
    return np.concatenate(rows)


def contact_sheet(sequences: np.ndarray, scale: LinearScale | None = None) -> np.ndarray:
    """Return sequences `[N, T, H, W, C]` below each other, frames side by side, as RGB uint8.

    Frames are enlarged by a whole factor, to 96 pixels of height at least.
    """
    margins = ((0, 0), (0, SPACE), (0, SPACE), (0, 0))
    enlarged = (_enlarged(shown_frames(frames, scale), 96) for frames in sequences)
    padded = (np.pad(frames, margins, constant_values=255) for frames in enlarged)
    return np.concatenate([np.concatenate(frames, axis=1) for frames in padded])


def shown_frames(frames: np.ndarray, scale: LinearScale | None) -> np.ndarray:
    """Return frames from 0, black, to 1, white; the first of channels with names, not colours.

    Missing values, NaN, are shown as 0 of a frame.
    """
    frames = (scale or UNIT).shown(filled(np.asarray(frames, np.float32)))
    return frames[..., :1] if scale and scale.names else frames


def _rgb(frames):
    levels = to_uint8(frames)
    return levels if levels.shape[-1] == 3 else levels[..., :1].repeat(3, axis=-1)


def _enlarged(frames, smallest_height):
    levels = _rgb(frames)
    factor = math.ceil(smallest_height / levels.shape[1])
    return levels.repeat(factor, axis=1).repeat(factor, axis=2)


def _shown_pair(truth, prediction, input_length, scale):
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    expected = (len(truth) - input_length, *truth.shape[1:])
    if truth.ndim != 4 or not 0 <= input_length < len(truth) or prediction.shape != expected:
        raise MimError(
            "Expected a truth [T, H, W, C] and a prediction [T - input_length, H, W, C], no batch "
            f"axis, got {truth.shape} and {prediction.shape} with input_length {input_length}."
        )
    return [shown_frames(frames, scale) for frames in (truth, prediction)]


class ErrorMap:
    """Mean squared error at each pixel and lead time; 1 is the range that pictures of `scale` show.

    Values are clipped where scores clip them. Missing values are left out.
    """

    def __init__(self, scale: LinearScale | None = None):
        self._scale = scale or UNIT
        self._sum = self._count = np.zeros(())

    def update(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Add a batch `[B, horizon, H, W, C]`; NaN where a value of the truth is missing."""
        clip = self._scale.clipped
        error = np.square(self._scale.shown(prediction, clip) - self._scale.shown(truth, clip))
        self._sum = self._sum + np.nansum(error, axis=(0, -1), dtype=np.float64)
        self._count = self._count + (~np.isnan(error)).sum(axis=(0, -1))

    def result(self, south_first: bool = False) -> np.ndarray:
        """Return `[horizon, H, W]`, float32, the mean over sequences and channels; NaN if none.

        The north is at the top, also where the first row of frames is the southernmost.
        """
        with np.errstate(invalid="ignore"):
            mean = np.asarray(self._sum / self._count, np.float32)
        return mean[..., ::-1, :] if south_first else mean


FIRST = 4


def choose_samples(errors: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return the positions and kinds of sequences to show: first (four), best, median and worst.

    A sequence whose error is undefined (NaN) is neither best nor worst.
    """
    first = list(range(min(FIRST, len(errors))))
    order = np.argsort(errors)[: np.count_nonzero(~np.isnan(errors))]
    chosen = [order[n] for n in (0, (len(order) - 1) // 2, -1)] if len(order) else []
    kinds = ["first"] * len(first) + ["best", "median", "worst"][: len(chosen)]
    return np.array([*first, *chosen]), kinds


def load_samples(
    errors: np.ndarray,
    source: SequenceSource,
    indices: np.ndarray,
    forecast: Callable[[np.ndarray, np.ndarray], np.ndarray],
    batch_size: int,
) -> dict[str, np.ndarray]:
    """Predict the chosen sequences again, in batches of the size that the evaluation had.

    `errors` has a value for each sequence, whose indices in `source` are `indices`. `forecast` is a
    function from frames `[B, T, H, W, C]` and their indices to `[B, horizon, H, W, C]`. The result
    has `truth` and `forecast`, uint8 as pictures show them, the north at the top, `index` and
    `kind` of `choose_samples`; if values can be missing, `missing`: where those of `truth` are.
    """
    index, kind = choose_samples(errors)
    # Full batches only: for one of another size the network would be traced again.
    size = min(batch_size, len(errors))
    truth, forecasts = [], []
    for batch in np.resize(index, (-(-len(index) // size), size)):
        truth.append(source.sequences(indices[batch]))
        forecasts.append(forecast(filled(truth[-1]), indices[batch]))
    shown = (source.scale or UNIT).shown
    chosen, predicted = (
        upright(np.concatenate(parts)[: len(index)], source.south_first)
        for parts in (truth, forecasts)
    )
    samples = {
        "truth": to_uint8(shown(filled(chosen))),
        "forecast": to_uint8(shown(predicted)),
        "index": index,
        "kind": np.array(kind),
    }
    return samples | ({"missing": np.isnan(chosen)} if source.has_missing else {})
