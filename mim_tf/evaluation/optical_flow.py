"""Extrapolation of the last frame along optical flow: the baseline of radar nowcasting."""

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude, map_coordinates
from skimage.registration import optical_flow_ilk

SMOOTHING = 1 / 16
"""Standard deviation of the flow's smoothing, as a share of the frame's larger side."""


def extrapolate_along_flow(context: np.ndarray, horizon: int) -> np.ndarray:
    """Moves the last frame on with the motion between the last two, backwards along its path.

    The motion is dense Lucas-Kanade flow (scikit-image), smoothed and carried on to where nothing
    moves. It stays as it is while the frame is moved: semi-Lagrangian extrapolation, as in pysteps
    (Germann and Zawadzki, 2002). What comes in from outside is the value at the border.

    Args:
        context: `[B, T, H, W, C]`, floats in [0, 1]; with one frame, or frames of one row or
            column, there is no motion.
        horizon: frames to predict.

    Returns:
        `[B, horizon, H, W, C]`, float32 in [0, 1].
    """
    forecast = np.empty((len(context), horizon, *context.shape[2:]), np.float32)
    for sequence, predicted in zip(context, forecast, strict=True):
        moves = len(sequence) > 1 and min(sequence.shape[1:3]) > 1
        flow = _smooth_flow(*sequence[-2:].mean(axis=-1)) if moves else None
        _extrapolate(sequence[-1], flow, predicted)
    return forecast


def _smooth_flow(previous, last):
    """Displacement (rows, columns) `[2, H, W]` from a value of `last` to where it came from."""
    flow = np.stack(optical_flow_ilk(last, previous, radius=max(2, min(7, min(last.shape) // 4))))
    # Flow is known where there is structure; elsewhere, as ahead of an echo, that around it counts.
    weight = gaussian_gradient_magnitude(last.astype(np.float64), 1) ** 2
    sigma = SMOOTHING * max(last.shape)
    total, small = weight.mean(), 1e-6 * weight.mean()
    if not total:
        return np.zeros_like(flow)
    far = (flow * weight).mean(axis=(1, 2), keepdims=True) / total
    blurred = np.stack([gaussian_filter(part * weight, sigma) for part in flow])
    return (blurred + small * far) / (gaussian_filter(weight, sigma) + small)


def _extrapolate(last, flow, predicted):
    if flow is None:
        predicted[:] = last
        return
    grid = np.indices(last.shape[:2], dtype=np.float64)
    displacement = np.zeros_like(grid)
    for frame in predicted:
        # The motion in the middle of the step, found from that at its start.
        step = _sampled(flow, grid + displacement)
        step = _sampled(flow, grid + displacement + step / 2)
        displacement += step
        frame[:] = np.moveaxis(_sampled(np.moveaxis(last, -1, 0), grid + displacement), 0, -1)


def _sampled(fields, positions):
    return np.stack([map_coordinates(f, positions, order=1, mode="nearest") for f in fields])
