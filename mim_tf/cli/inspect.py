"""Says what data or weights hold and whether they are sound.

mim inspect PATH --output=page.html
"""

import os
from pathlib import Path

from absl import flags

from mim_tf.cli.command import Command, define_network_flag, import_keras
from mim_tf.cli.configs import check_data_flags
from mim_tf.cli.flags import given
from mim_tf.config import DataConfig, ModelConfig
from mim_tf.errors import MimError
from mim_tf.storage.paths import check_free, written_whole

SHOWN = 5
BINS = 64


def main(values: flags.FlagValues, path: str) -> None:
    """Prints what is at `path`; of data, writes a contact sheet or a page.

    Raises:
        MimError: for the first thing that is wrong with it, or if --output exists.
    """
    check_data_flags(values)
    settings = given(DataConfig, values)
    known = given(ModelConfig, values)
    import_keras(values.network_module)
    from mim_tf.data.files.recordings import list_recordings
    from mim_tf.inspection.recognise import describe_weights, open_all, recognise
    from mim_tf.inspection.survey import describe_data, describe_sizes, soundness, survey
    from mim_tf.report.data_page import write_data_page
    from mim_tf.report.pages import PAGE_SUFFIXES

    kind = settings.get("dataset") or recognise(path)
    if kind == "weights":
        if values.output:
            raise MimError(f"--output shows data, but {path} holds weights. Leave it out.")
        print(describe_weights(path, known))
        return
    output = Path(values.output or _free_name(path))
    is_page = output.suffix.lower() in PAGE_SUFFIXES
    if not is_page and output.suffix.lower() != ".png":
        raise MimError(f"--output must end in .html or .png, received {output}.")
    check_free(output, "--output")
    print(f"{path}: data, read as --dataset={kind}")
    sizes = describe_sizes(list_recordings(path)) if kind == "folder" else ""
    if sizes:
        print(f"  {sizes}")
    sources, found = open_all(path, kind, settings, known), {}
    for name, source in sources.items():
        found[name] = survey(source, BINS if is_page else 0)
        print(describe_data(name, source, found[name]))
    print(soundness(sources.values()))
    if is_page:
        write_data_page(output, path, kind, sources, found, sizes)
        print(f"The page is {output}.")
    else:
        count = _write_contact_sheet(output, sources.values(), source.scale)
        print(f"{count} sequences, from the first to the last, are in {output}.")


def _write_contact_sheet(output, sources, scale):
    """Returns the number of sequences on it."""
    import numpy as np

    from mim_tf.data.batches.order import spread
    from mim_tf.data.source import filled
    from mim_tf.evaluation.pictures import contact_sheet, write_picture

    rows = [row for each in sources for row in each.sequences(spread(each.size, SHOWN))]
    with written_whole(output, ".png", other="--output") as part:
        write_picture(part, contact_sheet(filled(np.stack(rows)), scale))
    return len(rows)


def _free_name(path):
    names = [f"inspect-{Path(path).name}.png"]
    names += [f"inspect-{Path(path).name}-{number}.png" for number in range(2, 1000)]
    return next(name for name in names if not os.path.lexists(name))


def define_flags(values: flags.FlagValues) -> None:
    """Defines the flag of `mim inspect` alone."""
    flags.DEFINE_string(
        "output",
        "",
        "Of data, the page (.html) or picture (.png) to make; by default inspect-NAME.png, here.",
        flag_values=values,
    )
    define_network_flag(values)


COMMAND = Command(
    __doc__, main, define_flags, configs=(ModelConfig, DataConfig), arguments=("PATH",)
)
