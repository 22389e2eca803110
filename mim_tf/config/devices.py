"""What a network is trained on."""

import dataclasses

from mim_tf.config.fields import check_fields, field, to_plain
from mim_tf.errors import MimError


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
