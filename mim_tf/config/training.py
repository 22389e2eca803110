"""The configuration of a training run, its recipes, and the devices it uses."""

import dataclasses

from mim_tf.config.fields import complete, field, recipe_field
from mim_tf.errors import MimError

_MOST = 500_000_000
"""Iterations. With four updates per iteration, the count of updates fits 32 bits."""


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """Configuration of a training run. A field that is None takes the default of `recipe`."""

    recipe: str = field(
        "paper2019",
        "Defaults of the learning flags: paper2019 (those of the authors) or fast (learns more in "
        "the same time). A flag overrides the recipe.",
        choices=("paper2019", "fast"),
    )
    optimizer: str = recipe_field(
        "adam (as in the 2019 code) or muon (Muon on gate kernels, Adam on the other weights).",
        paper2019="adam",
        fast="muon",
        choices=("adam", "muon"),
    )
    lr: float = recipe_field("Largest learning rate.", paper2019=1e-3, fast=4e-3, above=0)
    lr_schedule: str = recipe_field(
        "Learning rate after the warm-up: constant, cosine (falls to 0 at max_iterations) or wsd "
        "(constant, then falls linearly to 0 over the last fifth of max_iterations).",
        paper2019="constant",
        fast="cosine",
        choices=("constant", "cosine", "wsd"),
    )
    warmup_iterations: int = recipe_field(
        "Iterations in which the rate rises to lr.", paper2019=0, fast=20, minimum=0, maximum=_MOST
    )
    beta_1: float = recipe_field(
        "Decay of Adam's first moment.", paper2019=0.95, fast=0.9, minimum=0, below=1
    )
    beta_2: float = recipe_field(
        "Decay of Adam's second moment.", paper2019=0.9995, fast=0.99, minimum=0, below=1
    )
    momentum: float = field(0.95, "Momentum of Muon.", minimum=0, below=1)
    loss: str = field(
        "l2",
        "Loss: l2 (half the squared error, 2019 code), l1+l2 (absolute and squared error), "
        "balanced (the same, with up to 30 times the weight where rain is strong, as in HKO-7) or "
        "half_balanced (with the roots of these weights).",
        choices=("l2", "l1+l2", "balanced", "half_balanced"),
    )
    clip_norm: float = field(0.0, "Largest norm of the whole gradient; 0: no limit.", minimum=0)
    on_nan: str = field(
        "stop",
        "Reaction to a NaN or infinite loss: stop, skip (leave out the update) or rollback (load "
        "the last snapshot, continue with the next batches).",
        choices=("stop", "skip", "rollback"),
    )
    initial_bias: float = field(
        1e-3,
        "Biases start uniformly within plus and minus this value. With 0, as in the 2019 code, "
        "the first gradients overflow if sequences begin with empty frames (radar without rain).",
        minimum=0,
    )
    batch_size: int = field(8, "Sequences in a batch.", minimum=1)
    max_iterations: int = field(80_000, "Iterations to train for.", minimum=1, maximum=_MOST)
    max_minutes: float = field(
        0.0,
        "Lower max_iterations so that the run ends this many minutes after its start on this "
        "machine. A resumed run keeps the number chosen. 0: no limit.",
        minimum=0,
    )
    rematerialise: bool = field(
        False,
        "Store only the states for the gradient and compute each time step twice: less memory, "
        "more time, the same results.",
    )
    reverse_input: bool = recipe_field(
        "Also train on each batch backwards, in its own update.", paper2019=True, fast=False
    )
    reverse_img: bool = field(False, "Also train on each batch mirrored left to right.")
    scheduled_sampling: bool | None = field(
        None,
        "Give the network some true frames after the context while it trains; default: as in the "
        "2019 code, all networks except convlstm_net.",
    )
    sampling_start_value: float = field(
        1.0, "Probability of a true frame at the start.", minimum=0, maximum=1
    )
    sampling_changing_rate: float = field(2e-5, "Decrease of probability per iteration.", minimum=0)
    sampling_stop_iter: int = field(50_000, "First iteration without true frames.", minimum=0)
    sampling_share: float = recipe_field(
        "Share of max_iterations over which that probability falls linearly to 0; 0: follow "
        "sampling_changing_rate and sampling_stop_iter instead.",
        paper2019=0.0,
        fast=0.66,
        minimum=0,
        maximum=1,
    )
    short_share: float = recipe_field(
        "Share of max_iterations that trains on sequences cut to short_length frames, with the "
        "context in proportion.",
        paper2019=0.0,
        fast=0.66,
        minimum=0,
        maximum=1,
    )
    short_length: int = field(0, "Frames of the cut sequences; 0: half of total_length.", minimum=0)
    display_interval: int = field(1, "Iterations between two logged losses.", minimum=1)
    test_interval: int = field(1_000, "Iterations between two evaluations.", minimum=1)
    snapshot_interval: int = field(1_000, "Iterations between two saved weights files.", minimum=1)
    num_save_samples: int = field(10, "Evaluated sequences to write as PNG and GIF.", minimum=0)
    max_test_sequences: int = field(
        800,
        "Sequences scored in an evaluation; 0: all. Windows of recordings are evenly spaced; of "
        "independent sequences the first are taken.",
        minimum=0,
    )
    protocol: str = field(
        "mim2019",
        "Definitions of the scores: mim2019 (2019 code), openstl (that benchmark), per_pixel "
        "(means over pixels instead of sums over frames), sevir, hko7 or pysteps (per_pixel, with "
        "events as in that benchmark or package).",
        choices=("mim2019", "openstl", "per_pixel", "hko7", "sevir", "pysteps"),
    )
    seed: int = field(
        0,
        "Seed of weights, sampling and the order of data. Endless data follows --data_seed.",
        minimum=0,
        maximum=2**32 - 1,
    )
    evaluate_ema: bool = field(False, "Evaluate and also save the moving average of the weights.")
    save_dir: str = field("checkpoints", "Folder of all runs; each run creates a subfolder.")
    gen_frm_dir: str = field("results", "Folder for predicted frames, by run and iteration.")

    def __post_init__(self):
        complete(self)

    @property
    def updates_per_iteration(self) -> int:
        """Return the number of updates per iteration, one per variant of the batch."""
        return (1 + self.reverse_img) * (1 + self.reverse_input)


RECIPES: dict[str, dict] = {
    "paper2019": {},
    # A new sequence in every update, in the faster precision of this machine.
    "fast": {"precision": "auto", "train_sequences": 0},
}
"""Recipe -> defaults for `ModelConfig` and `DataConfig`; fields of `TrainingConfig` hold theirs."""


@dataclasses.dataclass(frozen=True)
class DeviceConfig:
    """Configuration of the devices; every choice gives the same results except for rounding."""

    strategy: str = field(
        "single",
        "single (one device) or mirrored (all devices of this machine share every batch).",
        choices=("single", "mirrored"),
    )
    coordinator: str = field(
        "",
        "HOST:PORT of process 0, to train on all devices of several processes; auto: as Slurm, "
        "Open MPI or Kubernetes set it. Needs the JAX backend.",
    )
    num_processes: int = field(1, "Processes that train together, with --coordinator=HOST:PORT.")
    process_id: int = field(0, "Number of this process, from 0; process 0 writes all files.")

    def __post_init__(self):
        complete(self)
        count, coordinator = self.num_processes, self.coordinator
        if not 0 <= self.process_id < count:
            raise MimError(f"process_id must be from 0 to {count - 1}, got {self.process_id}.")
        is_address = coordinator.partition(":")[2].isdigit()
        if not is_address and coordinator != "auto" and (coordinator or count > 1):
            raise MimError(f"coordinator must be HOST:PORT or auto, got {coordinator!r}.")
