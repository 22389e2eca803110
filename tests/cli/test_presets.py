from mim_tf.presets import PRESETS


def test_every_preset_is_listed_with_its_scores(mim):
    printed = " ".join(mim("presets").split())
    for name, preset in PRESETS.items():
        assert f"{name}: {preset.description}" in printed
        assert f"mse {preset.scores['mse']:g}" in printed
