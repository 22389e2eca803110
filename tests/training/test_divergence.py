"""A loss that is no number: seen at once, and no good state is lost to it."""

import signal

import keras
import numpy as np
import pytest

import mim_tf
from mim_tf.data.batches.order import TrainingOrder
from mim_tf.data.sets.moving_mnist.source import MovingMNIST
from mim_tf.errors import MimError
from mim_tf.jobs.train import train
from mim_tf.runs.folder import STATE
from mim_tf.training.optimizers import AdamInsideRoot


@pytest.fixture
def run(tmp_path, tiny_config):
    """Trains four iterations; one can be made to diverge."""
    data = mim_tf.DataConfig(
        digits="bundled", train_sequences=9, valid_sequences=2, test_sequences=1
    )

    def start(**changes):
        config = mim_tf.TrainingConfig(
            batch_size=2,
            max_iterations=4,
            display_interval=1,
            test_interval=100,
            num_save_samples=0,
            reverse_input=False,
            save_dir=str(tmp_path / "runs"),
            **changes,
        )
        return train(tiny_config, data, config)

    return start


@pytest.fixture
def nan_in(monkeypatch):
    """Makes the losses of iterations NaN."""
    read = MovingMNIST.sequences

    def put(*iterations):
        order = TrainingOrder(9, 2, 0)
        bad = [order[iteration - 1][0] for iteration in iterations]

        def sequences(self, indices):
            frames = read(self, indices)
            if self.size == 9:
                frames[np.isin(indices, bad)] = np.inf
            return frames

        monkeypatch.setattr(MovingMNIST, "sequences", sequences)

    return put


def test_a_run_stops_and_keeps_its_last_good_state(run, tmp_path, nan_in):
    nan_in(3)
    handler = signal.getsignal(signal.SIGINT)
    folder = tmp_path / "runs" / "run-001"
    with pytest.raises(MimError, match=r"iteration 3 \(sequences .*mim-000002\.weights\.h5.*lower"):
        run(snapshot_interval=1)
    assert sorted(path.name for path in folder.glob("mim-*")) == [
        "mim-000001.weights.h5",
        "mim-000002.weights.h5",
    ]
    assert (folder / STATE).exists()
    assert signal.getsignal(signal.SIGINT) == handler


@pytest.mark.parametrize(
    ("on_nan", "bad", "message"),
    [
        ("skip", (2, 3), "this update was left out"),
        ("rollback", (3,), "back to the weights of iteration 2"),
    ],
)
def test_or_it_goes_on(run, nan_in, on_nan, bad, message, caplog):
    nan_in(*bad)
    folder = run(on_nan=on_nan, snapshot_interval=2)
    for iteration in bad:
        assert f"at iteration {iteration} " in caplog.text
    assert caplog.text.count("The loss is") == caplog.text.count(message) == len(bad)
    rows = (folder / "train.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[0]) for row in rows] == sorted({1, 2, 3, 4} - set(bad))
    assert (folder / "mim-000004.weights.h5").exists()


def test_a_skipped_update_changes_nothing_but_the_count():
    weight = keras.Variable([1.0, 2.0])
    optimizer = AdamInsideRoot(0.1, skip_nonfinite=True, use_ema=True)
    optimizer.apply([keras.ops.array([1.0, 1.0])], [weight])
    before = [np.array(v) for v in (weight, *optimizer.saved_variables[1:])]
    optimizer.apply([keras.ops.array([1.0, np.nan])])
    for value, variable in zip(before, (weight, *optimizer.saved_variables[1:]), strict=True):
        np.testing.assert_array_equal(value, variable)
    assert int(optimizer.iterations) == 2
    optimizer.apply([keras.ops.array([1.0, 1.0])])
    assert np.all(np.array(weight) < before[0])


def test_a_first_update_that_is_skipped_leaves_weights_and_their_average():
    weight = keras.Variable([1.0, 2.0])
    optimizer = AdamInsideRoot(0.1, skip_nonfinite=True, use_ema=True)
    optimizer.apply([keras.ops.array([1.0, np.nan])], [weight])
    np.testing.assert_array_equal(weight, [1.0, 2.0])
    np.testing.assert_array_equal(optimizer.averages[0], [1.0, 2.0])
    assert all(np.isfinite(variable).all() for variable in optimizer.saved_variables)
