"""Says what a data or weights file holds, whether it is sound, and shows a few sequences.

python -m mim_tf.cli.inspect PATH
"""

import sys
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from absl import app
from absl import flags as absl_flags

from mim_tf.cli import flags
from mim_tf.config import DataConfig, ModelConfig
from mim_tf.data.files.folder import list_recordings
from mim_tf.data.inspect.open import open_all
from mim_tf.data.inspect.recognise import KINDS, recognise
from mim_tf.data.inspect.report import describe_data, describe_sizes, describe_weights
from mim_tf.data.inspect.survey import spread, survey
from mim_tf.errors import MimError
from mim_tf.evaluation.pictures import contact_sheet

SHOWN = 5


def inspect(path: str | Path, output: str | Path = "") -> None:
    """Prints what is at `path`; of data, writes a contact sheet to `output` or a name of its own.

    Raises:
        MimError: for the first thing that is wrong with it, or if `output` exists.
    """
    settings = flags.given(DataConfig)
    kind = settings.get("dataset") or recognise(path)
    if kind not in KINDS:
        raise MimError(f"--dataset must be one of {', '.join(KINDS)}; received {kind!r}.")
    known = flags.given(ModelConfig)
    if kind == "weights":
        print(describe_weights(path, known))
        return
    output = Path(output or _free_name(path))
    if output.exists():
        raise MimError(f"{output} exists already. Remove it or give another --output.")
    print(f"{path}: data, read as --dataset={kind}")
    rows = []
    if kind == "folder":
        print(describe_sizes(list_recordings(path)))
    for name, source in open_all(path, kind, settings, known).items():
        print(describe_data(name, source, survey(source)))
        rows += list(source.sequences(spread(source.size, SHOWN)))
    print("Sound: every value was read and is in [0, 1] or missing.")
    imageio.imwrite(output, contact_sheet(np.stack(rows)), plugin="pillow")
    print(f"{len(rows)} sequences, from the first to the last, are in {output}.")


def _free_name(path):
    names = [f"inspect-{Path(path).name}.png"]
    names += [f"inspect-{Path(path).name}-{number}.png" for number in range(2, 1000)]
    return next(name for name in names if not Path(name).exists())


def main(argv):
    try:
        if len(argv) != 2:
            raise MimError(
                f"Expected one path, python -m mim_tf.cli.inspect PATH; received {argv[1:]}."
            )
        inspect(argv[1], flags.FLAGS.output)
    except MimError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    flags.define_config_flags(DataConfig, ModelConfig)
    absl_flags.DEFINE_string("output", "", "PNG file to make; by default inspect-NAME.png, here.")
    app.run(main)
