"""Frames as encoded pictures, inside an exported graph."""

import tensorflow as tf

_MARKS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
"""What PNG and JPEG files begin with."""


def decode(pictures, frame_shape):
    """Encoded pictures to frames.

    Args:
        pictures: strings `[B, T]`: PNG or JPEG, grey or colour.
        frame_shape: (H, W, C) the pictures have to have; C, 1 or 3, is converted to.

    Returns:
        `[B, T, H, W, C]`, uint8.
    """
    height, width, channels = frame_shape

    def decode_one(picture):
        known = [tf.strings.substr(picture, 0, len(mark)) == mark for mark in _MARKS]
        check = tf.debugging.Assert(
            tf.reduce_any(known), ["frames must be PNG or JPEG; received another kind of file."]
        )
        with tf.control_dependencies([check]):
            picture = tf.identity(picture)
        frame = tf.io.decode_image(picture, channels, expand_animations=False)
        check = tf.debugging.assert_equal(
            tf.shape(frame)[:2], (height, width), f"frames must be pictures of {width} x {height}."
        )
        with tf.control_dependencies([check]):
            frame = tf.identity(frame)
        frame.set_shape(frame_shape)
        return frame

    frames = tf.map_fn(
        decode_one,
        tf.reshape(pictures, [-1]),
        fn_output_signature=tf.TensorSpec(frame_shape, tf.uint8),
    )
    return tf.reshape(frames, tf.concat([tf.shape(pictures), frame_shape], 0))


def encode(frames):
    """Frames `[B, T, H, W, C]`, uint8, to PNG strings `[B, T]`."""
    flat = tf.reshape(frames, tf.concat([[-1], tf.shape(frames)[2:]], 0))
    pictures = tf.map_fn(tf.io.encode_png, flat, fn_output_signature=tf.TensorSpec([], tf.string))
    return tf.reshape(pictures, tf.shape(frames)[:2])
