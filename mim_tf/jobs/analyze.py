"""Gates and memories of trained weights on test sequences, as numbers, rows and words."""

from tqdm import tqdm

from mim_tf.config import DataConfig
from mim_tf.data.batches.order import evaluated_batches
from mim_tf.data.dataset import open_source
from mim_tf.data.source import filled
from mim_tf.evaluation.forget_gates import InsideStatistics


def analyze(model, data: DataConfig, sequences: int, batch_size: int, low: float, high: float):
    """Return what `InsideStatistics` finds in a network on so many test sequences."""
    source = open_source(data, model.config, "test")
    statistics = InsideStatistics(model, low, high)
    batches = evaluated_batches(source, batch_size, sequences)
    for indices in tqdm(batches, desc="analyzing", unit="batch", leave=False):
        statistics.update(filled(source.sequences(indices)))
    return statistics.result()


def table(result: dict) -> list[list]:
    """Return rows of what, gate or memory, and the value of each frame; a header first."""
    rows = []
    for gate, share in result["saturation"].items():
        rows += [[f"share {side}", gate, *values] for side, values in share.items()]
    for layer, memories in result["norms"].items():
        rows += [["norm", f"{memory}, {layer}", *values] for memory, values in memories.items()]
    frames = range(1, len(rows[0]) - 1) if rows else []
    return [["what", "where", *frames], *rows]


def summary(result: dict, low: float, high: float) -> str:
    """Return the means over frames of what is saturated, and the norms at both ends."""
    lines = [f"Saturated gate values (below {low:g} or above {high:g}), mean over frames:"]
    for gate, share in result["saturation"].items():
        below, above = (sum(share[side]) / len(share[side]) for side in ("below", "above"))
        lines.append(f"  {gate:40s} {below + above:6.1%}  ({below:.1%} below, {above:.1%} above)")
    lines += ["Norms, first and last frame:"] if result["norms"] else []
    for layer, memories in result["norms"].items():
        for memory, values in memories.items():
            lines.append(f"  {memory}, {layer:37s} {values[0]:10.3f} {values[-1]:10.3f}")
    return "\n".join(lines)
