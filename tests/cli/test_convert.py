"""mim convert."""

import tensorflow as tf

from tests.golden_cases import load_golden
from tests.tf1_checkpoints import golden_checkpoint


def test_what_it_prints(mim, tmp_path):
    output = tmp_path / "a.h5"
    printed = mim(
        "convert",
        f"--checkpoint={golden_checkpoint('convlstm')}.index",
        f"--output={output}",
        "--patch_size=2",
        "--total_length=30",
        "--verify",
    )
    lines = printed.splitlines()
    assert lines[-5:] == [
        "convlstm_net: 3 layers of 4 channels, 5x5 convolutions, with layer norm, 12,212 weights",
        "frames: 16 x 16 x 1 (H x W x C) in patches of 2",
        "input_length: 10 (default: a checkpoint does not tell)",
        "total_length: 30 (given)",
        f"weights in {output}",
    ]
    name = "conv_lstm/lstm_2/oc_weight"
    mean = tf.train.load_variable(str(golden_checkpoint("convlstm")), name).mean()
    assert f"{name} -> conv_lstm_2/peephole_o [8, 8, 4] mean {mean:.6g}" in lines
    assert len(lines) == len(load_golden("convlstm").weights) + 5


def test_an_error_is_one_sentence(error_of, tmp_path):
    paths = [f"--checkpoint={tmp_path / 'c'}", f"--output={tmp_path / 'a.h5'}"]
    status, message = error_of("convert", *paths)
    assert (status, message.count("\n")) == (1, 1)
    assert message.startswith("error: No TensorFlow 1 checkpoint at ")
