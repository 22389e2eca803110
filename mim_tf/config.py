"""Configuration of the model, the data and the training; every default stands once, here.

Field names are those of the 2019 code's flags. `mim_tf.cli.flags` makes a command line flag of
every field, with the field's `help` as its description.
"""

import dataclasses

from mim_tf.errors import MimError


def _field(default, help):
    return dataclasses.field(default=default, metadata={"help": help})


_NAMES_OF_2019 = {"mim_pp": "mim_star"}


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What a network is: its architecture and its scheduled sampling.

    Lengths are in frames, sizes in pixels. Raises `MimError` where values do not fit each other.
    """

    model_name: str = _field(
        "mim",
        "Network to build: mim, mim_star (mim_pp in the 2019 code), predrnn, predrnn_pp or "
        "convlstm_net.",
    )
    img_width: int = _field(64, "Width of a frame in pixels.")
    img_height: int = _field(0, "Height of a frame in pixels; 0: the width.")
    img_channel: int = _field(1, "Channels of a frame.")
    input_length: int = _field(10, "Context length: true frames the network is given.")
    total_length: int = _field(20, "Frames of a sequence: context and horizon.")
    num_hidden: tuple[int, ...] = _field(
        (64, 64, 64, 64), "Channels of each layer, comma separated; all the same."
    )
    filter_size: int = _field(5, "Side of the square convolution kernels; odd.")
    stride: int = _field(1, "Stride of the convolutions; only 1 exists.")
    patch_size: int = _field(
        4,
        "Side of the square patches a frame is cut into. 4 is what the paper's Moving MNIST "
        "experiment uses, and costs a sixteenth of the time and memory of 1, the default of "
        "the 2019 code.",
    )
    layer_norm: bool = _field(True, "Tensor layer norm after the gates' convolutions.")
    mim_n: bool = _field(True, "MIM-N in mim and mim_star; without it MIM-S gets D = 0.")
    mim_s: bool = _field(
        True,
        "MIM-S in mim and mim_star; without it, and MIM-N which feeds it, they are predrnn and "
        "predrnn_pp.",
    )
    differencing: str = _field(
        "code",
        "What MIM-N gets in layers 3 and up of mim and mim_star: code (the output of the MIM-N "
        "below, as in the 2019 code) or paper (the change of the hidden state below).",
    )
    precision: str = _field(
        "float32",
        "Precision of the convolutions in the cells: float32, bfloat16, or auto, whichever is "
        "faster on this machine. Weights, states, gates, norms and loss are float32 in all.",
    )
    scheduled_sampling: bool | None = _field(
        None,
        "In training, give the network some true frames after the context; by default as in the "
        "2019 code: all networks but convlstm_net.",
    )
    sampling_stop_iter: int = _field(50_000, "Iteration from which no true frame is given.")
    sampling_start_value: float = _field(1.0, "Probability of a true frame at the start.")
    sampling_changing_rate: float = _field(2e-5, "What that probability loses per iteration.")
    updates_per_iteration: int = _field(
        1, "Updates of the weights that count as one iteration of the sampling schedule."
    )

    def __post_init__(self):
        name = _NAMES_OF_2019.get(self.model_name, self.model_name)
        object.__setattr__(self, "model_name", name)
        object.__setattr__(self, "num_hidden", tuple(int(n) for n in self.num_hidden))
        object.__setattr__(self, "img_height", self.img_height or self.img_width)
        check_model_config(self)

    @property
    def num_layers(self) -> int:
        """Layers of recurrent cells."""
        return len(self.num_hidden)

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a frame."""
        return self.img_height, self.img_width, self.img_channel

    @property
    def grid(self) -> tuple[int, int]:
        """(H, W) of the patch grid, the spatial size of every state."""
        return self.img_height // self.patch_size, self.img_width // self.patch_size

    @property
    def horizon(self) -> int:
        """Frames predicted after the context."""
        return self.total_length - self.input_length


ABLATION_FIELDS = ("mim_n", "mim_s", "differencing")
"""Fields of `ModelConfig` that leave out or change parts of MIM blocks."""

ARCHITECTURE_FIELDS = (
    "model_name",
    "img_width",
    "img_height",
    "img_channel",
    "num_hidden",
    "filter_size",
    "stride",
    "patch_size",
    "layer_norm",
    *ABLATION_FIELDS,
)
"""Fields of `ModelConfig` that decide which weights there are and what they mean; the others may
change later."""


def check_model_config(config: ModelConfig) -> None:
    """Raises `MimError` for the first value of `config` no network can be built with."""
    positive = "img_width img_height img_channel input_length filter_size patch_size"
    for name in [*positive.split(), "updates_per_iteration"]:
        if getattr(config, name) < 1:
            raise MimError(f"{name} must be at least 1, received {getattr(config, name)}.")
    if config.stride != 1:
        raise MimError(
            f"stride must be 1, received {config.stride}: the states of all layers share one "
            "spatial size. To make them smaller, raise patch_size."
        )
    if config.filter_size % 2 == 0:
        raise MimError(f"filter_size must be odd, received {config.filter_size}.")
    if not config.num_hidden or min(config.num_hidden) < 1:
        raise MimError(f"num_hidden needs positive numbers, received {config.num_hidden}.")
    if len(set(config.num_hidden)) > 1:
        raise MimError(
            "num_hidden must be the same in every layer, because the spatial memory m is handed "
            "through the whole stack (convlstm_net has none, but follows the same rule); "
            f"received {config.num_hidden}."
        )
    if config.precision not in ("float32", "bfloat16", "auto"):
        raise MimError(
            f"precision must be float32, bfloat16 or auto, received {config.precision!r}."
        )
    if config.img_height % config.patch_size or config.img_width % config.patch_size:
        raise MimError(
            f"patch_size {config.patch_size} must divide height and width, received "
            f"{config.img_height} x {config.img_width} (height x width)."
        )
    if config.total_length <= config.input_length:
        raise MimError(
            f"total_length ({config.total_length}) must be larger than input_length "
            f"({config.input_length}): there is nothing to predict."
        )
    _check_ablations(config)


def _check_ablations(config):
    if config.differencing not in ("code", "paper"):
        raise MimError(f"differencing must be code or paper, received {config.differencing!r}.")
    if config.mim_n and not config.mim_s:
        raise MimError(
            "mim_s=False needs mim_n=False: only MIM-S uses what MIM-N computes. For the network "
            "without MIM-N alone, set mim_n=False and leave mim_s."
        )
    if config.differencing == "paper" and not config.mim_n:
        raise MimError(
            "differencing='paper' needs mim_n=True: it chooses the input of MIM-N. Leave it out."
        )


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where the sequences come from."""

    dataset: str = _field(
        "mnist",
        "Data set: mnist (Moving MNIST), mnist_color (colour-changing), taxibj, human, radar, "
        "folder (videos or folders of images) or array (.npy, .npz).",
    )
    train_data_paths: str = _field(
        "",
        "Training files or folders, comma separated; empty: Moving MNIST is generated, of other "
        "data all splits are in --valid_data_paths.",
    )
    valid_data_paths: str = _field(
        "",
        "Validation and test files or folders, comma separated; empty: Moving MNIST is generated, "
        "of other data all splits are in --train_data_paths.",
    )
    digits: str = _field(
        "auto",
        "Digits for generated Moving MNIST: mnist (Keras' copy, downloaded if need be), bundled "
        "(a small set that comes with the package), a path (mnist.npz or a folder of IDX files), "
        "or auto: mnist if it can be had, otherwise bundled.",
    )
    num_digits: int = _field(2, "Digits in a generated sequence.")
    train_sequences: int = _field(
        10_000, "Generated training sequences; 0: no two alike, without end."
    )
    valid_sequences: int = _field(2_000, "Generated validation sequences.")
    test_sequences: int = _field(3_000, "Generated test sequences.")
    data_seed: int = _field(
        0, "Seed of generated sequences, and of the split by recording; fixes train, valid, test."
    )
    taxibj_order: str = _field(
        "chronological",
        "chronological, or reference: frames newest first, as in the 2019 code, whose model so "
        "predicts the past.",
    )
    taxibj_split: str = _field(
        "reference",
        "reference: the first test windows share up to total_length - 1 frames with the last "
        "training windows, as in the 2019 code; clean: those training windows are left out.",
    )
    taxibj_synthetic: bool = _field(
        False, "A made-up small city in the place of TaxiBJ's files, to try things out."
    )
    window_stride: int = _field(1, "Frames between the starts of two windows of a recording.")
    frame_interval: int = _field(1, "Frames of a recording from one frame of a window to the next.")
    resize: bool = _field(False, "Resize frames of folder and array to img_height x img_width.")
    valid_fraction: float = _field(
        0.1, "Share of the recordings to validate on, where all splits are in the same paths."
    )
    test_fraction: float = _field(
        0.1, "Share of the recordings to test on, where all splits are in the same paths."
    )
    radar_values: str = _field(
        "dbz",
        "What radar arrays hold: dbz (reflectivity) or unit (already in [0, 1]). Levels 0..255 of "
        "pictures are always dbz_min..dbz_max.",
    )
    dbz_min: float = _field(0.0, "Reflectivity in dBZ that is 0 in a frame; lower is clipped.")
    dbz_max: float = _field(70.0, "Reflectivity in dBZ that is 1 in a frame; higher is clipped.")
    radar_missing: str = _field(
        "",
        "Values of radar frames that stand for missing ones, comma separated: nan or numbers. "
        "They do not count in loss and scores.",
    )
    thresholds: tuple[float, ...] = _field(
        (30.0, 40.0, 50.0), "Thresholds of CSI, POD, FAR and HSS on radar, in dBZ."
    )

    def __post_init__(self):
        object.__setattr__(self, "thresholds", tuple(float(n) for n in self.thresholds))
        choices = {
            "taxibj_order": ("chronological", "reference"),
            "taxibj_split": ("reference", "clean"),
            "radar_values": ("dbz", "unit"),
        }
        for name, values in choices.items():
            if getattr(self, name) not in values:
                raise MimError(
                    f"{name} must be {' or '.join(values)}, received {getattr(self, name)!r}."
                )
        for name in ("window_stride", "frame_interval"):
            if getattr(self, name) < 1:
                raise MimError(f"{name} must be at least 1, received {getattr(self, name)}.")
        for name in ("valid_fraction", "test_fraction"):
            if not 0 < getattr(self, name) < 1:
                raise MimError(f"{name} must be between 0 and 1, received {getattr(self, name)}.")


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained, evaluated and recorded."""

    lr: float = _field(1e-3, "Learning rate of Adam.")
    initial_bias: float = _field(
        1e-3,
        "Biases start uniform between minus and plus this. 0, as in the 2019 code, lets the first "
        "gradients overflow where sequences begin with empty frames, as radar does without rain.",
    )
    lr_schedule: str = _field(
        "constant", "constant, or cosine: from lr to 0 along half a cosine over max_iterations."
    )
    batch_size: int = _field(8, "Sequences in a batch.")
    max_iterations: int = _field(80_000, "Iterations to train for.")
    recompute: bool = _field(
        False,
        "Keep only the states for the gradient and compute each time step twice: less memory, more "
        "time, the same results.",
    )
    reverse_input: bool = _field(True, "Also learn each batch played backwards, in its own update.")
    reverse_img: bool = _field(False, "Also learn each batch mirrored left to right.")
    display_interval: int = _field(1, "Iterations between two logged losses.")
    test_interval: int = _field(1_000, "Iterations between two evaluations.")
    snapshot_interval: int = _field(1_000, "Iterations between two saved weights files.")
    num_save_samples: int = _field(10, "Evaluated sequences to write as PNG and GIF.")
    max_test_sequences: int = _field(
        800, "Sequences in an evaluation during training, the first of them; 0: all."
    )
    seed: int = _field(0, "Seed of initial weights, order of the data and scheduled sampling.")
    evaluate_ema: bool = _field(
        False, "Evaluate the moving average of the weights, and save it beside the raw weights."
    )
    save_dir: str = _field("checkpoints", "Folder for runs; each run makes its own in it.")
    gen_frm_dir: str = _field("results", "Folder for predicted frames, by run and iteration.")

    def __post_init__(self):
        positive = "batch_size max_iterations display_interval test_interval snapshot_interval lr"
        for name in positive.split():
            if not getattr(self, name) > 0:
                raise MimError(f"{name} must be positive, received {getattr(self, name)}.")
        if self.initial_bias < 0:
            raise MimError(f"initial_bias must not be negative, received {self.initial_bias}.")
        if self.lr_schedule not in ("constant", "cosine"):
            raise MimError(
                f"lr_schedule must be constant or cosine, received {self.lr_schedule!r}."
            )

    @property
    def updates_per_iteration(self) -> int:
        """Updates an iteration makes: one for each variant of its batch."""
        return (1 + self.reverse_img) * (1 + self.reverse_input)


@dataclasses.dataclass(frozen=True)
class DeviceConfig:
    """What a network is trained on; any choice gives the same results but for rounding."""

    strategy: str = _field(
        "single",
        "single: one device; mirrored: all devices of this machine, each with its part of every "
        "batch.",
    )
    coordinator: str = _field(
        "",
        "HOST:PORT of process 0, to train on all devices of several processes, or auto where "
        "Slurm, Open MPI or Kubernetes started them; JAX backend.",
    )
    num_processes: int = _field(1, "Processes that train together, with --coordinator=HOST:PORT.")
    process_id: int = _field(0, "Which of them this is, from 0; process 0 writes all files.")

    def __post_init__(self):
        if "multi" in self.strategy.lower():
            raise MimError(
                f"strategy={self.strategy} is not possible: TensorFlow's MultiWorkerMirrored"
                "Strategy does not work with the fit of Keras 3, which fails when it reduces "
                "metrics. Train on several machines with the JAX backend and --coordinator."
            )
        if self.strategy not in ("single", "mirrored"):
            raise MimError(f"strategy must be single or mirrored, received {self.strategy!r}.")
        if not 0 <= self.process_id < self.num_processes:
            raise MimError(
                f"process_id must be from 0 to num_processes - 1 = {self.num_processes - 1}, "
                f"received {self.process_id}."
            )
        if self.num_processes > 1 and not self.coordinator:
            raise MimError(
                f"num_processes={self.num_processes} needs coordinator, the HOST:PORT of process 0."
            )
        if (
            self.coordinator not in ("", "auto")
            and not self.coordinator.partition(":")[2].isdigit()
        ):
            raise MimError(f"coordinator must be HOST:PORT or auto, received {self.coordinator!r}.")
