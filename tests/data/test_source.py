import numpy as np

from mim_tf.data.source import SequenceSource, take_over


class Own(SequenceSource):
    shape, size = (2, 4, 4, 1), 3

    def sequences(self, indices):
        return np.zeros((len(indices), *self.shape), np.float32)


def test_a_source_needs_a_shape_a_size_and_sequences():
    assert Own().describe() == {"source": "Own", "sequences": 3, "shape": [2, 4, 4, 1]}
    assert not Own().has_missing


def test_what_a_source_says_of_its_frames_is_taken_over():
    source, other = Own(), Own()
    for name in SequenceSource.__annotations__:
        setattr(other, name, name)
    before = source.size
    take_over(source, other)
    for name in ("shape", "scale", "converted", "thresholds", "latitude", "has_missing"):
        assert getattr(source, name) == name
    assert source.size == before
