"""Tiny videos."""

import fractions
import itertools

import av
import numpy as np

HEIGHT, WIDTH = 16, 24


def numbered_frames(length):
    """uint8 `[length, 16, 24, 3]`: frame n has red 3 n in its upper half and green 90 below."""
    frames = np.zeros((length, HEIGHT, WIDTH, 3), np.uint8)
    frames[:, : HEIGHT // 2, :, 0] = 3 * np.arange(length)[:, None, None]
    frames[:, HEIGHT // 2 :, :, 1] = 90
    return frames


def write_video(path, frames, codec="ffv1", pixels="bgr0", times=None, end=b"", **options):
    """Without loss, unless another codec than FFV1 is given; frames are RGB or RGBA.

    `times` of the frames are in frames; `end` is a last packet.
    """
    form = "rgba" if frames.shape[-1] == 4 else "rgb24"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        stream.bit_rate = 4_000_000
        for time, picture in zip(times or itertools.count(), frames, strict=False):
            frame = av.VideoFrame.from_ndarray(picture, format=form)
            frame.pts, frame.time_base = time, fractions.Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if end:
            packet = av.Packet(end)
            packet.stream, packet.time_base = stream, fractions.Fraction(1, 25)
            packet.pts = packet.dts = len(frames) + 1
            container.mux(packet)
    return path
