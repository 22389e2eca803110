"""Says what data or weights hold and whether they are sound.

mim inspect PATH --output=page.html
"""

import dataclasses
import os
from pathlib import Path

from absl import flags

from mim_tf.cli.command import Command, NetworkFlags, import_keras
from mim_tf.cli.configs import check_paths
from mim_tf.cli.flags import given
from mim_tf.config import DataConfig, ModelConfig
from mim_tf.config.fields import field
from mim_tf.errors import MimError
from mim_tf.storage.paths import check_free, written_whole

SHOWN, BINS = 5, 64


@dataclasses.dataclass
class Flags(NetworkFlags):
    """Flags of `mim inspect` alone."""

    output: str = field(
        "", "Page (.html) or picture (.png) of data to make; by default inspect-NAME.png, here."
    )


def main(values: flags.FlagValues, path: str) -> None:
    """Print what is at `path`; for data, write a contact sheet or a page."""
    settings, known = given(DataConfig, values), given(ModelConfig, values)
    if not values.network_module and "dataset" in settings:
        DataConfig(**settings)
        check_paths(path, "data")
    from mim_tf.inspection.recognise import describe_weights, open_all, recognise

    kind = settings.get("dataset") or recognise(path)
    if kind == "weights" and values.output:
        raise MimError(f"--output shows data, but {path} holds weights. Leave it out.")
    output = Path(values.output or _free_name(path))
    is_page = output.suffix.lower() in (".html", ".htm")
    if not is_page and output.suffix.lower() != ".png":
        raise MimError(f"Expected an --output that ends in .html or .png, got {output}.")
    check_free(output, "--output")
    import_keras(values.network_module)
    import numpy as np

    from mim_tf.data.batches.order import spread
    from mim_tf.data.files.recordings import list_recordings
    from mim_tf.evaluation.pictures import contact_sheet, png, upright
    from mim_tf.inspection.survey import describe_data, describe_sizes, soundness, survey

    if kind == "weights":
        print(describe_weights(path, known))
        return
    print(f"{path}: data, read as --dataset={kind}")
    sizes = describe_sizes(list_recordings(path)) if kind == "folder" else ""
    if sizes:
        print(f"  {sizes}")
    sources, found = open_all(path, kind, settings, known), {}
    for name, source in sources.items():
        found[name] = survey(source, BINS if is_page else 0)
        print(describe_data(name, source, found[name]))
    print(soundness(sources, found))
    if is_page:
        from mim_tf.report.data_page import write_data_page

        write_data_page(output, path, kind, sources, found, sizes)
        print(f"The page is {output}.")
        return
    parts = sources.values()
    rows = [row for part in parts for row in part.sequences(spread(part.size or 0, SHOWN))]
    shown = upright(np.stack(rows), source.south_first)
    with written_whole(output, ".png", other="--output") as part:
        part.write_bytes(png(contact_sheet(shown, source.scale)))
    print(f"{len(rows)} sequences, from the first to the last, are in {output}.")


def _free_name(path):
    endings = ("", *(f"-{number}" for number in range(2, 1000)))
    start = Path(path).name[:50]  # a name has at most 255 bytes
    names = (f"inspect-{start}{ending}.png" for ending in endings)
    return next(name for name in names if not os.path.lexists(name))


INSPECT = Command(
    __doc__,
    main,
    Flags,
    configs=(ModelConfig, DataConfig),
    basics=("output", "dataset", "total_length", "window_stride", "resize", "network_module"),
    arguments=("PATH",),
)
