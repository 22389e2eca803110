"""Says what data or weights hold and whether they are sound.

mim inspect PATH
"""

from pathlib import Path

from absl import flags

from mim_tf.cli.command import Command
from mim_tf.cli.flags import given
from mim_tf.cli.start import import_keras
from mim_tf.config import DataConfig, ModelConfig
from mim_tf.errors import MimError

SHOWN = 5


def main(values: flags.FlagValues, path: str) -> None:
    """Prints what is at `path`; of data, writes a contact sheet to --output or a name of its own.

    Raises:
        MimError: for the first thing that is wrong with it, or if --output exists.
    """
    settings = given(DataConfig, values)
    known = given(ModelConfig, values)
    import_keras()
    import imageio.v3 as imageio
    import numpy as np

    from mim_tf.data.files.folder import list_recordings
    from mim_tf.data.inspect.open import open_all
    from mim_tf.data.inspect.recognise import KINDS, recognise
    from mim_tf.data.inspect.report import describe_data, describe_sizes, describe_weights
    from mim_tf.data.inspect.survey import spread, survey
    from mim_tf.evaluation.pictures import contact_sheet

    kind = settings.get("dataset") or recognise(path)
    if kind not in KINDS:
        raise MimError(f"--dataset must be one of {', '.join(KINDS)}; received {kind!r}.")
    if kind == "weights":
        print(describe_weights(path, known))
        return
    output = Path(values.output or _free_name(path))
    if output.exists():
        raise MimError(f"{output} exists already. Remove it or give another --output.")
    print(f"{path}: data, read as --dataset={kind}")
    rows = []
    if kind == "folder":
        print(describe_sizes(list_recordings(path)))
    for name, source in open_all(path, kind, settings, known).items():
        print(describe_data(name, source, survey(source)))
        rows += list(source.sequences(spread(source.size, SHOWN)))
    expected = "in [0, 1]" if not source.scale or source.scale.clipped else "finite"
    print(f"Sound: every value was read and is {expected} or missing.")
    imageio.imwrite(output, contact_sheet(np.stack(rows), source.scale), plugin="pillow")
    print(f"{len(rows)} sequences, from the first to the last, are in {output}.")


def _free_name(path):
    names = [f"inspect-{Path(path).name}.png"]
    names += [f"inspect-{Path(path).name}-{number}.png" for number in range(2, 1000)]
    return next(name for name in names if not Path(name).exists())


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flag of `mim inspect` alone."""
    flags.DEFINE_string(
        "output", "", "PNG file to make; by default inspect-NAME.png, here.", flag_values=values
    )


COMMAND = Command(
    __doc__, main, define_flags, configs=(ModelConfig, DataConfig), arguments=("PATH",)
)
