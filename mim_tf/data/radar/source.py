"""Windows of radar events."""

from pathlib import Path

from mim_tf.config import DataConfig
from mim_tf.data.radar.events import open_event
from mim_tf.data.radar.values import RadarValues, parse_missing
from mim_tf.data.scale import LinearScale
from mim_tf.data.windows import WindowSource
from mim_tf.errors import MimError


def open_events(paths: list[Path], total_length: int, data: DataConfig) -> WindowSource:
    """Windows of events, none of them across two.

    Arrays of floats are read once, in parts, to check them; they stay in their files, unless these
    are compressed. Pictures are decoded when they are first asked for, and kept as uint8.

    Args:
        paths: of the events, as `list_events` returns them; frames of one size.
        total_length: frames of a window.
        data: `dbz_min` and `dbz_max`, which 0 and 1 in a frame and levels 0 and 255 of uint8
            arrays and pictures stand for; `radar_values` says what floats are, "dbz", clipped to
            these, or "unit", already in [0, 1]; `radar_missing`, as they are stored (levels,
            where these are), are 0 in `sequences` and True in `missing`; stride and interval of
            windows, and thresholds of the scores, in dBZ.

    Raises `MimError` for events that cannot be read or do not fit each other, values that are
    infinite, NaN without being declared missing, or outside [0, 1] where they are "unit", and
    thresholds outside the bounds.
    """
    scale = LinearScale("dBZ", data.dbz_min, data.dbz_max)
    if data.thresholds:
        scale.check_thresholds(data.thresholds)
    values = RadarValues(scale, data.radar_values, parse_missing(data.radar_missing))
    events = [open_event(path, values, data.check_files) for path in paths]
    _check_one_size(events)
    source = WindowSource(
        events,
        (*events[0].frame_shape, 1),
        total_length,
        data.window_stride,
        data.frame_interval,
        description={
            "source": "radar",
            "scale": scale.as_json(),
            "values": data.radar_values,
            "missing": data.radar_missing,
        },
    )
    source.scale = scale
    source.thresholds = tuple(data.thresholds)
    source.has_missing = bool(values.missing)
    return source


def _check_one_size(events):
    if not events:
        raise MimError("Expected at least one radar event, received none.")
    for event in events:
        if event.frame_shape != events[0].frame_shape:
            raise MimError(
                f"{event.name}: expected frames of {list(events[0].frame_shape)} [H, W] as in "
                f"{events[0].name}, received {list(event.frame_shape)}. Events of one run need "
                "frames of one size."
            )
