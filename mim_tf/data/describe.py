"""Splits of a data set, in words."""

from mim_tf.data.source import SequenceSource


def describe_splits(sources: dict[str, SequenceSource]) -> str:
    """What is trained, validated or tested on, a line for each.

    Args:
        sources: split -> its source.
    """
    return "\n".join(f"{split}: {_describe(source)}" for split, source in sources.items())


def _describe(source):
    record = source.describe()
    length, height, width, channels = source.shape
    count = "endless" if source.size is None else f"{source.size:,}"
    origin = record.get("source", type(source).__name__)
    if record.get("paths"):
        origin += f" {', '.join(record['paths'])}"
    elif record.get("recordings"):
        first, *others = record["recordings"]
        origin += f" {first}" + (f" and {len(others)} more" if others else "")
    if "selected_from" in record:
        origin += f" (of its {record['selected_from']:,} sequences)"
    return (
        f"{count} sequences of {length} frames, {height} x {width} x {channels} "
        f"(height x width x channels), {origin}"
    )
