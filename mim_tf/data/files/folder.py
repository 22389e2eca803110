"""Folders of videos, or of folders of images, one for each recording."""

from pathlib import Path

from mim_tf.data.files.array_videos import ArrayVideo
from mim_tf.data.files.fit import Fit
from mim_tf.data.files.frame_cache import Pictures
from mim_tf.data.files.images import image_size, list_images, natural_order, read_image
from mim_tf.data.files.videos import VIDEO_SUFFIXES, Video, video_size
from mim_tf.data.windows import WindowSource
from mim_tf.errors import MimError


def list_recordings(folder) -> list[Path]:
    """The recordings in `folder`, in natural order; none is opened.

    They are its video files and its subfolders with at least two images. Where there are none, a
    video file, or a folder with at least two images, is a recording itself.

    Raises `MimError` where there is no recording.
    """
    folder = Path(folder)
    try:
        children = folder.iterdir() if folder.is_dir() else []
        recordings = sorted(filter(_is_recording, children), key=natural_order)
        if not recordings and _is_recording(folder):
            recordings = [folder]
    except OSError as error:
        raise MimError(f"{folder} cannot be read: {error}. Check its permissions.") from None
    if not recordings:
        found = "none of them" if folder.is_dir() else "no such folder"
        raise MimError(
            f"{folder}: expected a folder with videos ({', '.join(VIDEO_SUFFIXES)}) or with a "
            f"subfolder of at least two images for each recording, found {found}. Check the path."
        )
    return recordings


def open_recordings(
    recordings, frame_shape, total_length, stride=1, interval=1, resize=False
) -> WindowSource:
    """Windows of videos, folders of images and arrays, none reaching from one into another.

    Pictures become luminance where C is 1, RGB where it is 3, levels of 16 bits are scaled to 8;
    they are decoded when first asked for, then kept as uint8. Arrays stay in their file.

    Args:
        recordings: paths as from `list_recordings`, or `ArrayVideo`s.
        frame_shape: (H, W, C).
        total_length: frames of a window.
        stride: frames between the starts of two windows.
        interval: frames from one frame of a window to the next.
        resize: whether frames of another height or width are resized, with antialiasing.

    Raises `MimError` for a recording that cannot be opened, for frames of another shape and where
    there is no window.
    """
    fit = Fit(tuple(frame_shape), resize)
    return WindowSource(
        [_open_recording(recording, fit) for recording in recordings],
        frame_shape,
        total_length,
        stride,
        interval,
        description={
            "source": "recordings",
            "window_stride": stride,
            "frame_interval": interval,
            "resize": resize,
        },
    )


def native_shape(recording) -> tuple[int, int, int]:
    """(H, W, C) of the frames of a recording as they are stored; three channels for videos.

    Args:
        recording: as for `open_recordings`.
    """
    if isinstance(recording, ArrayVideo):
        return recording.read([0]).shape[1:]
    if Path(recording).is_dir():
        return read_image(_pictures(recording)[0]).shape
    return (*video_size(recording), 3)


def _is_recording(path):
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return len(list_images(path)) >= 2
    return path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()


def _open_recording(recording, fit):
    if isinstance(recording, ArrayVideo):
        return recording.fitted(fit)
    fit.check_channels()
    return _open_images(recording, fit) if Path(recording).is_dir() else Video(recording, fit)


def _open_images(folder, fit):
    paths = _pictures(folder)
    # The others are as a rule like it; one that is not is refused when it is decoded.
    fit.check_size(folder, image_size(paths[0]))
    return Pictures(folder, paths, lambda path: fit.picture(path, read_image(path)))


def _pictures(folder):
    return sorted(list_images(folder), key=natural_order)
