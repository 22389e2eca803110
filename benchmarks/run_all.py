"""Runs all benchmarks, one after the other, and prints what they print as one Markdown document.

    python benchmarks/run_all.py [--output=FILE] [--quick] [--only=memory] [--gpu]

Each is a process of its own and can be run alone: its command stands above its tables. --quick
takes tiny settings, which tell whether everything runs, and nothing else.
"""

import dataclasses
import shlex
import subprocess
import sys
from pathlib import Path

import machine
from absl import app, flags
from measure import FOLDER

FLAGS = flags.FLAGS
flags.DEFINE_boolean("quick", False, "Tiny settings.")
flags.DEFINE_boolean("gpu", False, "Run gpu.py too, which takes hours on a CPU.")
flags.DEFINE_string("openstl", "", "A checkout of OpenSTL, for gpu.py.")
flags.DEFINE_string("only", "", "Run the scripts that have this in their name.")
flags.DEFINE_string("output", "", "File to write the document to.")

TINY = ("--num_hidden=4,4", "--img_width=16")


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A section: heading, script, its flags, and those instead of them with --quick."""

    heading: str
    script: str
    arguments: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()


BENCHMARKS = (
    Benchmark("Size of the networks", "networks.py", quick=TINY),
    Benchmark("Training and prediction", "training_step.py", quick=(*TINY, "--steps=1")),
    Benchmark(
        "Training and prediction, bfloat16",
        "training_step.py",
        ("--precision=bfloat16",),
        (*TINY, "--steps=1", "--precision=bfloat16"),
    ),
    Benchmark(
        "Training and prediction, each time step computed twice",
        "training_step.py",
        ("--rematerialise", "--training_only"),
        (*TINY, "--steps=1", "--rematerialise", "--training_only"),
    ),
    Benchmark("First prediction", "first_prediction.py"),
    Benchmark("Where the time of a step goes", "profile_step.py", quick=TINY),
    Benchmark(
        "Where the time of a step goes, bfloat16",
        "profile_step.py",
        ("--precision=bfloat16",),
        (*TINY, "--precision=bfloat16"),
    ),
    Benchmark(
        "Memory",
        "memory.py",
        ("--precision=bfloat16", "--batch_size=4", "--batch_sizes=2,4,8"),
        quick=(
            *("--sizes=16,32", "--lengths=4,6", "--batch_sizes=1,2", "--size=16", "--length=4"),
            *("--batch_size=1", "--num_hidden=4,4", "--rematerialise=False", "--nolarge"),
        ),
    ),
    Benchmark(
        "Data",
        "inputs.py",
        quick=("--sequences=40", "--seconds=0", "--training_rate=1"),
    ),
    Benchmark(
        "Fields with coordinates",
        "grid_reading.py",
        quick=("--times=240", "--side=8", "--windows=4", "--kept_fields=24"),
    ),
    Benchmark(
        "float32 and bfloat16",
        "precision.py",
        quick=("--updates=3", "--last=1", "--num_hidden=4", "--img_width=32", "--seeds=0"),
    ),
    Benchmark("Serving", "serving.py", quick=("--requests=2", "--", *TINY)),
    Benchmark(
        "GPU",
        "gpu.py",
        quick=(
            *("--batch_sizes=1", "--channels=4", "--layers=2", "--img_width=16", "--steps=1"),
            *("--total_length=4", "--matrix=128"),
        ),
    ),
)


def chosen() -> list[Benchmark]:
    """The benchmarks to run."""
    return [
        each
        for each in BENCHMARKS
        if FLAGS.only in each.script and (FLAGS.gpu or each.script != "gpu.py")
    ]


def section(each: Benchmark) -> tuple[str, bool]:
    """The section of a benchmark, and whether it succeeded."""
    arguments = list(each.quick if FLAGS.quick else each.arguments)
    if each.script == "gpu.py" and FLAGS.openstl:
        arguments.append(f"--openstl={FLAGS.openstl}")
    command = [sys.executable, str(FOLDER / each.script), *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    outcome = result.stdout.strip()
    if result.returncode:
        outcome += f"\n\nFailed with status {result.returncode}:\n\n```\n{result.stderr}\n```"
    shown = shlex.join(["python", f"benchmarks/{each.script}", *arguments])
    return f"## {each.heading}\n\n    {shown}\n\n{outcome}", not result.returncode


def main(_):
    parts = [f"# Benchmarks\n\n{machine.markdown()}"]
    print(parts[0], flush=True)
    succeeded = []
    for each in chosen():
        text, success = section(each)
        print(f"\n{text}", flush=True)
        parts.append(text)
        succeeded.append(success)
        if FLAGS.output:
            Path(FLAGS.output).write_text("\n\n".join(parts) + "\n")
    sys.exit(not all(succeeded))


if __name__ == "__main__":
    app.run(main)
