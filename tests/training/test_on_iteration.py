from mim_tf.config import TrainingConfig
from mim_tf.training.callbacks import OnIteration


def test_an_iteration_is_all_its_updates():
    seen = []
    callback = OnIteration(TrainingConfig(reverse_img=True), start_iteration=7)
    callback.on_iteration = lambda iteration, logs: seen.append(iteration)
    for batch in range(9):
        callback.on_train_batch_end(batch)
    assert seen == [8, 9]


def test_the_last_iteration_is_always_due():
    callback = OnIteration(TrainingConfig(max_iterations=25), start_iteration=0)
    assert [i for i in range(1, 26) if callback.due(i, 10)] == [10, 20, 25]
