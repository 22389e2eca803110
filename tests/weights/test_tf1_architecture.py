import pytest

from mim_tf.errors import MimError
from mim_tf.weights.tf1 import infer_config
from tests.golden_cases import load_golden

CASES = {  # model_name, num_hidden, filter_size, layer_norm, img_channel
    "mim": ("mim", (4, 4, 4), 5, True, 1),
    "mim_no_layer_norm": ("mim", (4, 4, 4, 4), 3, False, 2),
    "mim_star": ("mim_star", (4, 4, 4), 5, True, 1),
    "predrnn": ("predrnn", (4, 4, 4), 5, True, 1),
    "predrnn_pp": ("predrnn_pp", (4, 4, 4), 5, True, 1),
    "convlstm": ("convlstm_net", (4, 4, 4), 5, True, 1),
}
NO_PEEPHOLES = ("predrnn", "predrnn_pp")
PIXELS = "predrnn/back_to_pixel/kernel"


@pytest.fixture(scope="module")
def shapes():
    """Case -> name -> shape."""
    return {
        case: {name: array.shape for name, array in load_golden(case).weights.items()}
        for case in CASES
    }


@pytest.mark.parametrize("case", CASES)
def test_every_network_of_2019(shapes, case):
    known = {"img_width": 16} if case in NO_PEEPHOLES else {}
    config = infer_config(shapes[case], patch_size=2, **known)
    *settings, channels = CASES[case]
    fields = "model_name", "num_hidden", "filter_size", "layer_norm"
    assert [getattr(config, field) for field in fields] == settings
    assert (config.frame_shape, config.patch_size) == ((16, 16, channels), 2)


@pytest.mark.parametrize("case", ["mim_star", "predrnn_pp", "convlstm", "predrnn"])
def test_layer_norm_is_seen_in_every_network(shapes, case):
    bare = {name: shape for name, shape in shapes[case].items() if not is_norm(name)}
    assert len(bare) < len(shapes[case])
    assert not infer_config(bare, patch_size=2, img_width=16).layer_norm


def is_norm(name):
    return name.endswith(("states", "stateb", "cs", "cb", "ms", "mb", "os", "ob"))


@pytest.mark.parametrize(
    ("depth", "known", "expected"),
    [
        (16, {"patch_size": 4}, (4, 1)),
        (16, {"patch_size": 2}, (2, 4)),
        (16, {"img_channel": 1}, (4, 1)),
        (16, {"img_channel": 16, "patch_size": 1}, (1, 16)),
        (12, {"img_channel": 3}, (2, 3)),
        (1, {}, (1, 1)),
        (6, {}, (1, 6)),
    ],
)
def test_patch_size_and_channels_share_a_product(shapes, depth, known, expected):
    config = infer_config(shapes["mim"] | {PIXELS: (1, 1, 4, depth)}, **known)
    assert (config.patch_size, config.img_channel) == expected
    assert config.frame_shape[:2] == (8 * expected[0], 8 * expected[0])


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({}, "received patch_size None, img_channel None"),
        ({"patch_size": 3}, "received patch_size 3, img_channel None"),
        ({"img_channel": 3}, "received patch_size None, img_channel 3"),
        ({"img_channel": 1, "patch_size": 2}, "received patch_size 2, img_channel 1"),
    ],
)
def test_a_product_that_leaves_a_choice_or_does_not_fit(shapes, known, words):
    with pytest.raises(MimError, match=words) as caught:
        infer_config(shapes["mim"] | {PIXELS: (1, 1, 4, 16)}, **known)
    assert "16 channels, which is patch_size^2 * img_channel: 1^2 * 16, 2^2 * 4, 4^2 * 1." in str(
        caught.value
    )


def test_a_grid_that_is_not_square(shapes):
    wide = {
        name: (3, 5, shape[2]) if name.endswith(("c_t_weight", "oc_weight")) else shape
        for name, shape in shapes["mim"].items()
    }
    config = infer_config(wide, patch_size=2)
    assert (config.img_height, config.img_width) == (6, 10)


@pytest.mark.parametrize("case", NO_PEEPHOLES)
def test_without_peepholes_the_frame_size_has_to_be_known(shapes, case):
    with pytest.raises(MimError, match=r"no peepholes: give img_width and.* img_height"):
        infer_config(shapes[case], patch_size=2)
    config = infer_config(shapes[case], patch_size=2, img_width=20, img_height=12)
    assert config.grid == (6, 10)
    with pytest.raises(MimError, match="patch_size"):
        infer_config(shapes[case], patch_size=2, img_width=15)


@pytest.mark.parametrize("names", [[], ["model/layer-1/kernel", "save_counter"]])
def test_weights_of_no_known_network(names):
    with pytest.raises(MimError, match=r"expected names such as predrnn/stlstm_1/.*found: ") as e:
        infer_config(dict.fromkeys(names, (3,)))
    assert str(e.value).endswith(": model/layer-1/kernel, save_counter." if names else ": none.")


def test_layers_without_any_weight(shapes):
    without = {n: s for n, s in shapes["mim"].items() if not n.startswith("predrnn/stlstm_2")}
    with pytest.raises(MimError, match="received those of 1, 3: weights of whole layers"):
        infer_config(without, patch_size=2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({PIXELS: None}, f"Expected {PIXELS} with 4 axes, received none"),
        ({PIXELS: (4, 4)}, r"with 4 axes, received \[4, 4\]"),
        ({"predrnn/stlstm_2/time_state_to_state/kernel": None}, "stlstm_2/time_state_to_state/k"),
        ({"predrnn/stlstm_2/stlstm_2/oc_weight": (4,)}, "stlstm_2/oc_weight with 3 axes"),
        ({"predrnn/stlstm_2/time_state_to_state/kernel": (5, 5, 8, 24)}, "num_hidden"),
        ({"predrnn/stlstm_1/time_state_to_state/kernel": (4, 4, 4, 16)}, "filter_size"),
    ],
)
def test_weights_the_architecture_is_read_from(shapes, changes, words):
    changed = {n: s for n, s in (shapes["mim"] | changes).items() if s is not None}
    with pytest.raises(MimError, match=words):
        infer_config(changed, patch_size=2)
