"""The same sequences by several runs: players, and a film strip."""

import base64
import io
import os
from collections.abc import Sequence
from pathlib import Path

from mim_tf.evaluation.read import Evaluation, find_evaluation
from mim_tf.report.colors import difference_limit, field_of
from mim_tf.report.film_strip import draw, make_strip
from mim_tf.report.players import (
    BUDGET,
    Player,
    future,
    sequence_player,
    shown_samples,
    within_budget,
)
from mim_tf.report.read import SAMPLES_FILE, read_samples

STRIP_DPI = 200
STRIP_BUDGET = 1_500_000
"""Characters that are left for the film strip."""


def read_pictures(
    evaluations: Sequence[Evaluation], folders: Sequence[str | Path]
) -> tuple[list[Player], str]:
    """Players of the sequences that all kept, and a film strip of the first as a data URI.

    Both are empty where one kept no pictures, or other ones.

    Raises:
        MimError: pictures are damaged.
    """
    paths = [find_evaluation(folder) for folder in folders]
    if not all(os.path.lexists(path / SAMPLES_FILE) for path in paths):
        return [], ""
    field = field_of(evaluations[0].scores["data"])
    samples = [shown_samples(read_samples(path), field) for path in paths]
    shared = sorted(set.intersection(*(set(part["index"].tolist()) for part in samples)))
    if not shared:
        return [], ""
    places = [[part["index"].tolist().index(index) for index in shared] for part in samples]
    limit = max(difference_limit(future(part), part["forecast"]) for part in samples)

    def draw_players(reduction):
        return [
            sequence_player(
                f"Sequence {index + 1}",
                _errors(evaluations, index),
                samples[0]["truth"][places[0][number]],
                {
                    each.name: part["forecast"][place[number]]
                    for each, part, place in zip(evaluations, samples, places, strict=True)
                },
                field,
                limit,
                reduction,
            )
            for number, index in enumerate(shared)
        ]

    shape = samples[0]["truth"].shape
    players = within_budget(draw_players, shape[1], shape[3], BUDGET - STRIP_BUDGET)
    picture = io.BytesIO()
    strip = make_strip(evaluations, samples, shared[0])
    draw(strip).savefig(picture, format="png", dpi=STRIP_DPI)
    return players, f"data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}"


def _errors(evaluations, index):
    values = (f"{each.name} {each.per_sequence['mse'][index]:.4g}" for each in evaluations)
    return f"MSE: {', '.join(values)}"
