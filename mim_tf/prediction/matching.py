"""Forecasts that keep the distribution of what was last measured."""

import numpy as np

from mim_tf.config import ModelConfig
from mim_tf.errors import MimError


def match_probabilities(forecast: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Give predicted frames the values of the last frame before them, in their own order.

    A network that is not sure predicts a mean, with too little strong rain and too much drizzle.
    Here its largest value becomes the largest one of the last frame, its second largest the second,
    and so on; what it predicts to be dry stays dry. Scores of events get better, squared errors
    larger. Rain that grows or fades everywhere is missed. Source: "probability matching" (Ebert,
    2001), as in pysteps.

    Args:
        forecast: `[B, S, H, W, C]`, on a scale whose 0 is dry.
        last: `[B, H, W, C]`, 0 where nothing was measured.
    """
    by_channel = np.moveaxis(forecast, -1, 1)  # [B, C, S, H, W]
    values = by_channel.reshape(*by_channel.shape[:3], -1)
    known = np.sort(np.moveaxis(last, -1, 1).reshape(*values.shape[:2], 1, -1))
    matched = np.empty_like(values)
    np.put_along_axis(matched, np.argsort(values), np.broadcast_to(known, values.shape), axis=-1)
    matched = np.where(values > 0, matched, values)
    return np.moveaxis(matched.reshape(by_channel.shape), 1, -1)


def matching(forecast, config: ModelConfig):
    """Return `forecast` of a network with `config`, followed by `match_probabilities`.

    `forecast` is a function of the context `[B, T, H, W, C]` and perhaps of more. Raises `MimError`
    if 0 is not dry on the network's scale.
    """
    if not config.frame_scale.clipped:
        raise MimError(
            "--probability_matching is for rain and reflectivity, whose lowest value is dry; got "
            f"weights with the scale {config.frame_scale.words}. Leave it out."
        )

    def matched(context, *others):
        found = forecast(context, *others)
        return match_probabilities(found, np.asarray(context, found.dtype)[:, -1])

    return matched
