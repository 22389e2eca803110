"""Forecasts that need no training: what a network has to beat."""

from collections.abc import Callable

import numpy as np

from mim_tf.data.source import SequenceSource
from mim_tf.evaluation.direction import is_better
from mim_tf.evaluation.optical_flow import extrapolate_along_flow

Baseline = Callable[[np.ndarray, int], np.ndarray]

TITLES = {
    "persistence": "persistence",
    "context_mean": "the mean of the context",
    "optical_flow": "extrapolation along optical flow",
}


def persistence(context: np.ndarray, horizon: int) -> np.ndarray:
    """The last frame of the context `[B, T, H, W, C]`, `[B, horizon, H, W, C]`."""
    return np.repeat(context[:, -1:], horizon, axis=1)


def context_mean(context: np.ndarray, horizon: int) -> np.ndarray:
    """The mean of the context `[B, T, H, W, C]` at each pixel, `[B, horizon, H, W, C]`."""
    return np.repeat(context.mean(axis=1, keepdims=True), horizon, axis=1)


def baselines_for(source: SequenceSource) -> dict[str, Baseline]:
    """The baselines by name; optical flow for fields, which have physical values."""
    baselines = {"persistence": persistence, "context_mean": context_mean}
    if source.scale:
        baselines["optical_flow"] = extrapolate_along_flow
    return baselines


def verdict(result: dict, score: str = "mse", name: str = "The model") -> str:
    """One sentence: whether the model beats every baseline in the mean of a score.

    Args:
        result: what `evaluate` returned.
        score: its name.
        name: of the model.
    """
    ours = result["mean"][score]
    theirs = {name: part["mean"][score] for name, part in result["baselines"].items()}
    title = score.upper() if score in ("mse", "mae") else score
    unbeaten = {name: value for name, value in theirs.items() if not is_better(score, ours, value)}
    if unbeaten:
        listed = _listed(unbeaten)
        return f"{name} does NOT beat {listed}: its {title} is {_number(ours)}."
    return f"{name} beats {_listed(theirs)}: its {title} is {_number(ours)}."


def _listed(values):
    parts = [f"{TITLES[name]} ({_number(value)})" for name, value in values.items()]
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _number(value):
    return "undefined" if value is None else f"{value:.4g}"
