"""How a network is trained, evaluated and recorded."""

import dataclasses

from mim_tf.config.fields import check_fields, field, fill_in, recipe_field, to_plain
from mim_tf.errors import MimError

_MOST_ITERATIONS = 500_000_000
"""With four updates in each, their count still fits 32 bits."""


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained, evaluated and recorded.

    A value that is None becomes what `recipe` says.
    """

    recipe: str = field(
        "paper2019",
        "Defaults of the flags that decide how a network learns: paper2019, as the authors did, "
        "or fast, which learns more in the same time. Any flag overrides its part of it.",
        choices=("paper2019", "fast"),
    )
    optimizer: str = recipe_field(
        "adam: Adam as in the 2019 code; muon: Muon on the kernels of the gates, Adam on the rest.",
        paper2019="adam",
        fast="muon",
        choices=("adam", "muon"),
    )
    lr: float = recipe_field("Largest learning rate.", paper2019=1e-3, fast=4e-3, above=0)
    lr_schedule: str = recipe_field(
        "After the warm-up: constant; cosine: down to 0 along half a cosine over max_iterations; "
        "wsd: constant, and linearly down to 0 over the last fifth of max_iterations.",
        paper2019="constant",
        fast="cosine",
        choices=("constant", "cosine", "wsd"),
    )
    warmup_iterations: int = recipe_field(
        "Iterations in which the learning rate rises linearly to lr.",
        paper2019=0,
        fast=20,
        minimum=0,
        maximum=_MOST_ITERATIONS,
    )
    beta_1: float = recipe_field(
        "Decay of Adam's first moment.", paper2019=0.95, fast=0.9, minimum=0, below=1
    )
    beta_2: float = recipe_field(
        "Decay of Adam's second moment.", paper2019=0.9995, fast=0.99, minimum=0, below=1
    )
    momentum: float = field(0.95, "Momentum of Muon.", minimum=0, below=1)
    clip_norm: float = field(0.0, "Largest norm of the gradient of all weights; 0: any.", minimum=0)
    on_nan: str = field(
        "stop",
        "Where a loss is no number: stop; skip: leave that update out; rollback: go back to the "
        "weights of the last snapshot and on with the next batches.",
        choices=("stop", "skip", "rollback"),
    )
    initial_bias: float = field(
        1e-3,
        "Biases start uniform between minus and plus this. 0, as in the 2019 code, lets the first "
        "gradients overflow where sequences begin with empty frames, as radar does without rain.",
        minimum=0,
    )
    batch_size: int = field(8, "Sequences in a batch.", minimum=1)
    max_iterations: int = field(
        80_000, "Iterations to train for.", minimum=1, maximum=_MOST_ITERATIONS
    )
    rematerialise: bool = field(
        False,
        "Keep only the states for the gradient and compute each time step twice: less memory, more "
        "time, the same results.",
    )
    reverse_input: bool = recipe_field(
        "Also learn each batch played backwards, in its own update.", paper2019=True, fast=False
    )
    reverse_img: bool = field(False, "Also learn each batch mirrored left to right.")
    scheduled_sampling: bool | None = field(
        None,
        "In training, give the network some true frames after the context; by default as in the "
        "2019 code: all networks but convlstm_net.",
    )
    sampling_start_value: float = field(1.0, "Probability of a true frame at the start.", minimum=0)
    sampling_changing_rate: float = field(
        2e-5, "What that probability loses in an iteration.", minimum=0
    )
    sampling_stop_iter: int = field(
        50_000, "Iteration from which no true frame is given.", minimum=0
    )
    sampling_share: float = recipe_field(
        "Share of max_iterations over which that probability falls linearly to 0, in the place of "
        "sampling_changing_rate and sampling_stop_iter; 0: as those say.",
        paper2019=0.0,
        fast=0.66,
        minimum=0,
    )
    short_share: float = recipe_field(
        "Share of max_iterations in which sequences are cut to short_length frames, and the "
        "context in proportion.",
        paper2019=0.0,
        fast=0.66,
        minimum=0,
    )
    short_length: int = field(0, "Frames of those; 0: half of total_length.", minimum=0)
    display_interval: int = field(1, "Iterations between two logged losses.", minimum=1)
    test_interval: int = field(1_000, "Iterations between two evaluations.", minimum=1)
    snapshot_interval: int = field(1_000, "Iterations between two saved weights files.", minimum=1)
    num_save_samples: int = field(10, "Evaluated sequences to write as PNG and GIF.", minimum=0)
    max_test_sequences: int = field(
        800,
        "Sequences in an evaluation during training; 0: all. Windows of recordings are evenly "
        "spaced; of independent sequences the first are taken.",
        minimum=0,
    )
    protocol: str = field(
        "mim2019",
        "Definitions of the scores: mim2019, as in the 2019 code; openstl, as in that benchmark; "
        "per_pixel: means over pixels in place of sums over frames; sevir, hko7 or pysteps: "
        "per_pixel, and events as in that benchmark or package.",
        choices=("mim2019", "openstl", "per_pixel", "hko7", "sevir", "pysteps"),
    )
    seed: int = field(
        0,
        "Seed of initial weights, order of the data and scheduled sampling.",
        minimum=0,
        maximum=2**32 - 1,
    )
    evaluate_ema: bool = field(
        False, "Evaluate the moving average of the weights, and save it beside the raw weights."
    )
    save_dir: str = field("checkpoints", "Folder for runs; each run makes its own in it.")
    gen_frm_dir: str = field("results", "Folder for predicted frames, by run and iteration.")

    def __post_init__(self):
        to_plain(self)
        fill_in(self)
        check_fields(self)

    @property
    def updates_per_iteration(self) -> int:
        """Updates an iteration makes: one for each variant of its batch."""
        return (1 + self.reverse_img) * (1 + self.reverse_input)


# MERGED: What the recipes say beyond the training's own settings.


RECIPES: dict[str, dict] = {
    "paper2019": {},
    # As many different sequences as there are updates, in the precision that is faster here.
    "fast": {"precision": "auto", "train_sequences": 0},
}
"""Recipe -> defaults of fields of `ModelConfig` and `DataConfig`; those of `TrainingConfig` stand
with its fields."""


# MERGED: What a network is trained on.


@dataclasses.dataclass(frozen=True)
class DeviceConfig:
    """What a network is trained on; any choice gives the same results but for rounding."""

    strategy: str = field(
        "single",
        "single: one device; mirrored: all devices of this machine, each with its part of every "
        "batch.",
        choices=("single", "mirrored"),
    )
    coordinator: str = field(
        "",
        "HOST:PORT of process 0, to train on all devices of several processes, or auto where "
        "Slurm, Open MPI or Kubernetes started them; JAX backend.",
    )
    num_processes: int = field(1, "Processes that train together, with --coordinator=HOST:PORT.")
    process_id: int = field(0, "Which of them this is, from 0; process 0 writes all files.")

    def __post_init__(self):
        to_plain(self)
        if "multi" in str(self.strategy).lower():
            raise MimError(
                f"strategy={self.strategy} is not possible: TensorFlow's MultiWorkerMirrored"
                "Strategy does not work with the fit of Keras 3, which fails when it reduces "
                "metrics. Train on several machines with the JAX backend and --coordinator."
            )
        check_fields(self)
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
