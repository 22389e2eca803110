"""Shows the saturation of gates and the norms of memories of trained weights.

    python -m mim_tf.cli.analyze --pretrained_model=FILE.h5 --dataset=mnist

Writes a table (JSON and CSV) and a figure.
"""

import csv

from absl import app
from absl import flags as absl_flags
from tqdm import tqdm

from mim_tf.analysis.figure import draw
from mim_tf.analysis.statistics import InsideStatistics
from mim_tf.cli import flags
from mim_tf.cli.command import command
from mim_tf.config import DataConfig, ModelConfig
from mim_tf.data.batches.order import evaluation_batches
from mim_tf.data.open import open_source
from mim_tf.models import build_model
from mim_tf.runs import new_run_folder, write_json
from mim_tf.weights import load_weights

FLAGS = flags.FLAGS


def analyze(path, config: ModelConfig, data: DataConfig, sequences, batch_size, low, high):
    """What `InsideStatistics` finds in the weights of `path` on the first test sequences.

    Args:
        path: weights of any kind.
        config: their configuration.
        data: what on.
        sequences: how many of the test sequences.
        batch_size: how many at a time.
        low: gate values below are saturated.
        high: gate values above are saturated.

    Raises:
        MimError: for weights or data that cannot be used.
    """
    source = open_source(data, config, "test")
    model = build_model(config)
    load_weights(model, path)
    statistics = InsideStatistics(model, low, high)
    batches = list(evaluation_batches(min(source.size, sequences), batch_size))
    for indices in tqdm(batches, desc="analyzing", unit="batch", leave=False):
        statistics.update(source.sequences(indices))
    return statistics.result()


def table(result: dict) -> list[list]:
    """Rows of what, gate or memory, and the value of each frame; a header first."""
    rows = []
    for gate, share in result["saturation"].items():
        rows += [[f"share {side}", gate, *values] for side, values in share.items()]
    for layer, memories in result["norms"].items():
        rows += [["norm", f"{memory}, {layer}", *values] for memory, values in memories.items()]
    frames = range(1, len(rows[0]) - 1) if rows else []
    return [["what", "where", *frames], *rows]


@command
def main():
    config = flags.model_config()
    data = DataConfig(**flags.given(DataConfig))
    result = analyze(
        FLAGS.pretrained_model,
        config,
        data,
        FLAGS.sequences,
        FLAGS.batch_size,
        FLAGS.low,
        FLAGS.high,
    )
    folder = new_run_folder(FLAGS.output, "analysis")
    write_json(folder / "inside.json", result)
    with (folder / "inside.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table(result))
    title = f"{config.model_name}: {FLAGS.pretrained_model}, {result['sequences']} sequences"
    draw(folder / "inside.png", result, config.input_length, title)
    _print(result, FLAGS.low, FLAGS.high)
    print(f"The values of every frame, and a figure, are in {folder}.")


def _print(result, low, high):
    print(f"Saturated gate values (below {low:g} or above {high:g}), mean over frames:")
    for gate, share in result["saturation"].items():
        below, above = (sum(share[side]) / len(share[side]) for side in ("below", "above"))
        print(f"  {gate:40s} {below + above:6.1%}  ({below:.1%} below, {above:.1%} above)")
    if result["norms"]:
        print("Norms, first and last frame:")
    for layer, memories in result["norms"].items():
        for memory, values in memories.items():
            print(f"  {memory}, {layer:37s} {values[0]:10.3f} {values[-1]:10.3f}")


def define_flags(values=FLAGS):
    """Defines the flags of this program."""
    flags.define_config_flags(ModelConfig, DataConfig, values=values)
    absl_flags.DEFINE_string(
        "pretrained_model", None, "Weights to look into.", required=True, flag_values=values
    )
    absl_flags.DEFINE_integer("sequences", 32, "Test sequences to look at.", flag_values=values)
    absl_flags.DEFINE_integer("batch_size", 8, "Sequences in a batch.", flag_values=values)
    absl_flags.DEFINE_float("low", 0.1, "Gate values below are saturated.", flag_values=values)
    absl_flags.DEFINE_float("high", 0.9, "Gate values above are saturated.", flag_values=values)
    absl_flags.DEFINE_string(
        "output", "results", "Folder; analysis-001, ... is made in it.", flag_values=values
    )


if __name__ == "__main__":
    define_flags()
    app.run(main)
