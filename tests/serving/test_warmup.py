from mim_tf.serving import saved_model as warmup


def test_every_endpoint_is_warmed_up(version, consumed):
    """`consumer.py` parsed the records and ran them."""
    shapes = dict(consumed[1]["warm-up"])
    assert len(shapes) == len(consumed[1]["warm-up"]) == 6
    predictions = [1, 4, 8, 16, 3]
    assert shapes["predict"] == {"predictions": predictions}
    assert shapes["predict_uint8"] == {"predictions": predictions}
    assert shapes["predict_png"] == {"predictions": predictions, "png_bytes": [1, 4]}
    assert shapes["rollout"] == {"predictions": predictions}
    state = [1, 2, 4, 4]
    names = ["m", "h1", "c1", "h2", "c2", "s2", "d2", "n2"]
    states = dict.fromkeys(names, state) | {
        "started": [1, 1, 1, 1],
        "last_prediction": [1, 8, 16, 3],
    }
    assert shapes["start"] == states
    assert shapes["step"] == states | {"prediction": [1, 8, 16, 3]}
    assert (version / warmup.PATH).stat().st_size < 10_000
