"""The sequences a report shows."""

from collections.abc import Callable

import numpy as np

from mim_tf.data.scale import UNIT
from mim_tf.data.source import SequenceSource
from mim_tf.evaluation.scores import to_uint8

FIRST = 4


def choose_samples(errors: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Indices and kinds of the first four sequences, then the best, the median and the worst.

    Args:
        errors: of every sequence; NaN where undefined, which is neither best nor worst.
    """
    first = list(range(min(FIRST, len(errors))))
    order = np.argsort(errors)[: np.count_nonzero(~np.isnan(errors))]
    if not len(order):
        return np.array(first), ["first"] * len(first)
    chosen = [order[0], order[(len(order) - 1) // 2], order[-1]]
    return np.array([*first, *chosen]), ["first"] * len(first) + ["best", "median", "worst"]


def load_samples(
    errors: np.ndarray,
    source: SequenceSource,
    forecast: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
) -> dict[str, np.ndarray]:
    """The chosen sequences with their forecasts, made again.

    Args:
        errors: as for `choose_samples`.
        source: of the sequences.
        forecast: from frames `[B, T, H, W, C]` to `[B, horizon, H, W, C]`.
        batch_size: of the evaluation.

    Returns:
        `truth` and `forecast`, uint8 as pictures show them, `index` from 0, and `kind`:
        first, best, median or worst. Of a source in which values can be missing also `missing`:
        where those of `truth` are.
    """
    index, kind = choose_samples(errors)
    # Full batches only: for one of another size the network would be traced again.
    size = min(batch_size, len(errors))
    batches = np.resize(index, (-(-len(index) // size), size))
    loaded = [source.sequences(batch) for batch in batches]
    forecasts = [forecast(frames) for frames in loaded]
    shown_truth, shown_forecast = (
        to_uint8((source.scale or UNIT).shown(np.concatenate(parts)))[: len(index)]
        for parts in (loaded, forecasts)
    )
    return {
        "truth": shown_truth,
        "forecast": shown_forecast,
        "index": index,
        "kind": np.array(kind),
        **({"missing": source.missing(index)} if source.has_missing else {}),
    }
