"""The command line: help, flags, errors on one line, and answers before Keras is imported."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags as absl_flags

import mim_tf
from mim_tf.cli.command import Command, run
from mim_tf.cli.flags import GROUPS, define_config_flags, given, parse
from mim_tf.cli.main import COMMANDS
from mim_tf.cli.train import TRAIN
from mim_tf.config import DataConfig, DeviceConfig, ModelConfig, TrainingConfig
from mim_tf.config.fields import field, flag_fields
from mim_tf.config.model import NAMES
from mim_tf.errors import MimError
from mim_tf.version import __version__


def test_alone_it_lists_all_commands(mim):
    printed = mim()
    assert printed == mim("--help")
    for name in COMMANDS:
        assert f"\n  {name} " in printed
    assert mim("--version") == f"mim {__version__}\n"


@pytest.mark.parametrize("full", ["--help", "--helpfull"])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_80_columns_and_has_no_flags_of_absl(mim, name, full):
    printed = mim(name, full)
    assert max(map(len, printed.splitlines())) <= 80
    assert printed.startswith(f"usage: mim {name}")
    assert not any(f"--{flag}" in printed for flag in ("verbosity", "logtostderr", "pdb"))


def test_help_shows_a_dozen_flags_first_and_all_of_them_in_full(mim):
    first, full = mim("train", "--help"), mim("train", "--helpfull")
    assert first.count("\n--") == len(TRAIN.basics) + 1 == 13
    for config, title in GROUPS.items():
        assert f"\n{title}:\n" in full
        for each in flag_fields(config):
            assert f"--{each.name}:" in full or f"--[no]{each.name}:" in full
    assert "0.004 for --recipe=fast" in " ".join(first.split())


def test_an_unknown_command_is_answered_with_the_nearest(error_of):
    status, message = error_of("trian")
    assert status == 2
    assert "Did you mean train?" in message
    assert "Did you mean" not in error_of("xyzzy")[1]


# Python ends with a traceback where anything tries to import Keras or a backend.
WITHOUT_KERAS = """
import contextlib, io, os, sys
for name in ("keras", "tensorflow", "jax"):
    sys.modules[name] = None
from mim_tf.cli.main import main
os.chdir(sys.argv[1])
for arguments in sys.stdin.read().splitlines():
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        try:
            main(arguments.split())
            status = 0
        except SystemExit as error:
            status = error.code
    print(status, " ".join(out.getvalue().split()))
"""


def test_it_answers_before_keras_is_imported(tmp_path):
    (tmp_path / "there.npy").touch()
    (tmp_path / "bom.cfg").write_text("\ufeff--dataset=array\n")
    (tmp_path / "space.cfg").write_text("--dataset array\n")
    run_folder = tmp_path / "runs" / "run-001"
    run_folder.mkdir(parents=True)
    (run_folder / "best.weights.h5").touch()
    settings = {"model": ModelConfig(), "data": DataConfig(), "training": TrainingConfig()}
    record = {name: dataclasses.asdict(each) for name, each in settings.items()}
    (run_folder / "run.json").write_text(json.dumps(record))
    weights = "--pretrained_model=moving-mnist"
    cases = [
        ("", 0, "usage: mim COMMAND"),
        ("train --help", 0, "--max_iterations"),
        ("compare --help", 0, "--names"),
        ("presets", 0, "moving-mnist"),
        ("train --max_iteration=3", 2, "Did you mean --max_iterations?"),
        ("train --learning_rate=1", 2, "Did you mean --lr?"),
        ("train --pre_seq_length=10", 2, "Did you mean --input_length?"),
        ("train --xyzzy=1", 2, "Unknown flag --xyzzy. `mim"),
        ("train --flagfile=bom.cfg", 2, "bom.cfg: expected UTF-8 without a byte order mark"),
        ("train --flagfile=space.cfg", 2, "Did you mean --dataset=array?"),
        ("train --batch_size=0", 2, "--batch_size"),
        ("train --model_name=mim_net", 1, "mim_star"),
        ("train --num_hidden=4,8", 1, "num_hidden"),
        ("train --patch_size=5", 1, "patch_size"),
        ("train --taxibj_order=clean", 2, "chronological or reference"),
        ("train --lr=-1", 1, "lr"),
        ("train --dataset=array --train_data_paths=none.npy", 1, "none.npy"),
        ("train --dataset=array --train_data_paths=a,none.npy", 1, "Commas divide paths."),
        ("train --dataset=folder", 1, "--train_data_paths"),
        ("train --dataset=array --train_data_paths=*.npy", 1, "Patterns are for"),
        ("train --dataset=grid --train_data_paths=*.nc", 1, "*.nc"),
        ("train --train_data_paths=https://a.org/x.npy", 1, "error: https://a.org/x.npy is not a"),
        ("inspect s3://a/b.nc", 1, "error: s3://a/b.nc is not a path; download it first"),
        (f"predict {weights} --input=http://a/b.npy --output=a.npy", 1, "http://a/b.npy is not a"),
        ("train --save_dir=gs://a/b", 1, "error: gs://a/b is not a path; give a path on this"),
        (f"predict {weights} --input=there.npy --output=s3://a/b.npy", 1, "upload the result"),
        ("inspect file:///a/b.npy", 1, "is not a path; give /a/b.npy."),
        ("train --dataset=array --train_data_paths=~/none.npy", 1, f"{Path.home()}/none.npy: "),
        (f"train --dataset=array --train_data_paths={tmp_path},~/b", 1, f"{Path.home()}/b: "),
        ("inspect ~/none.npy", 1, f"{Path.home()}/none.npy: "),
        ("train --n_gpu=1", 2, "--strategy=mirrored"),
        ("train --allow_gpu_growth=True", 2, "TF_FORCE_GPU_ALLOW_GROWTH=true"),
        ("train --noallow_gpu_growth", 2, "docs/from_2019.md"),
        ("train --is_training=True", 2, "mim evaluate"),
        ("train --pretrained_model=none.h5", 1, "none.h5"),
        ("train --resume --save_dir=none", 1, "--resume=auto"),
        ("train --resume --save_dir=runs --lr=0.5", 1, "--lr=0.5"),
        ("train --resume=maybe", 2, "--resume"),
        ("train --resume auto", 2, "--resume=auto"),
        ("train --layer_norm False", 2, "--layer_norm=False"),
        ("train --is_training True", 2, "docs/from_2019.md"),
        ("train --save_dir=there.npy", 1, "--save_dir"),
        ("train --gen_frm_dir=there.npy/a", 1, "--gen_frm_dir"),
        ("train --digits=none.npz", 1, "none.npz"),
        ("train --network_module=none.py", 1, "none.py"),
        (f"evaluate {weights} --gen_frm_dir=there.npy", 1, "--gen_frm_dir"),
        (f"analyze {weights} --output=there.npy", 1, "--output"),
        (f"export {weights} --output=there.npy", 1, "--output"),
        (f"export {weights} --output=a --metrics=none.json", 1, "none.json"),
        ("score --truth=there.npy --prediction=none*.npy", 1, "none*.npy"),
        ("inspect none.npy", 1, "none.npy"),
        ("inspect none.npy --dataset=array", 1, "none.npy"),
        ("train --pretrained_model=moving_mnist", 1, "Did you mean moving-mnist?"),
        ("evaluate", 2, "--pretrained_model"),
        (f"evaluate {weights} --dataset=array --valid_data_paths=none.npy", 1, "none.npy"),
        (
            "evaluate --pretrained_model=runs/run-001",
            1,
            "Did you mean runs/run-001/best.weights.h5",
        ),
        ("evaluate --pretrained_model=runs/run-001/best", 1, "mean runs/run-001/best.weights.h5"),
        ("analyze --pretrained_model=none.h5", 1, "none.h5"),
        (f"analyze {weights} --low=0.9 --high=0.1", 1, "0 < --low < --high < 1"),
        ("predict", 2, "--pretrained_model and --input and --output"),
        ("predict --pretrained_model=runs --input=there.npy --output=a.npy", 1, "runs: "),
        (f"predict {weights} --input=none.npy --output=a.npy", 1, "none.npy"),
        (f"predict {weights} --input=there.npy --output=there.npy", 1, "there.npy exists"),
        (f"predict {weights} --input=there.npy --output=b.npy --coarsen=2", 1, "--coarsen"),
        ("score --truth=there.npy", 2, "--prediction"),
        ("score --truth=there.npy --prediction=none.npy", 1, "none.npy"),
        ("score --truth=there.npy --prediction=there.npy --context=3", 1, "--context is for"),
        ("export --pretrained_model=none.h5 --output=a", 1, "none.h5"),
        (f"export {weights} --output=there.npy --format=onnx", 1, "there.npy exists"),
        (f"export {weights} --output=a --format=onnx", 1, "--output"),
        (f"export {weights} --output=a.tflite", 1, "--format"),
        ("convert --checkpoint=none --output=a.h5", 1, "none"),
        ("inspect", 2, "PATH"),
        ("inspect none.npz", 1, "none.npz"),
        ("inspect there.npy --dataset=array --output=there.npy", 1, "--output"),
        ("inspect runs/run-001", 1, "give its weights, or use `mim report`"),
        ("report none", 1, "none"),
        ("report runs/run-001 --output=a.pdf", 1, ".html, got a.pdf"),
        ("compare none none --output=a.html --format=latex", 1, "--format"),
        ("compare none none --output=a.html", 1, "none"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_KERAS, str(tmp_path)],
        input="\n".join(case[0] for case in cases),
        capture_output=True,
        text=True,
    )
    answers = done.stdout.splitlines()
    assert not done.stderr
    for (arguments, status, words), answer in zip(cases, answers, strict=True):
        assert answer.startswith(f"{status} "), (arguments, answer)
        assert words in answer, (arguments, answer)


def test_the_names_of_networks_are_known_before_keras_is_imported():
    code = (Path(mim_tf.__file__).parent / "models" / "networks.py").read_text()
    assert {*re.findall(r'@register_network\("(\w+)"', code)} == {*NAMES} - {"mim_pp"}


@pytest.mark.parametrize("arguments", ["--version", "train --helpfull", "no"])
@pytest.mark.parametrize(
    ("streams", "status"),
    [
        (">&-", 0),
        ("2>&-", 0),
        ("<&- >&- 2>&-", 0),
        (">/dev/full", 1),
        ("2>/dev/full", 0),
        (">/dev/full 2>/dev/full", 1),
        ("| true; exit ${PIPESTATUS[0]}", 0),
        ("2>&1 | true; exit ${PIPESTATUS[0]}", 0),
    ],
)
def test_streams_that_are_closed_or_full(arguments, streams, status):
    command = f"{sys.executable} -m mim_tf {arguments} {streams}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == (2 if arguments == "no" else status)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_work_goes_on_without_a_reader(tmp_path):
    """Descriptors of closed streams are not given to files; the status says what was done."""
    program = (
        "import sys; from mim_tf.cli.command import Command, run\n"
        "def main(values):\n"
        "    print('a' * 100_000, flush=True); print('b', file=sys.stderr, flush=True)\n"
        f"    with open({str(tmp_path / 'done')!r}, 'w') as file: file.write(str(file.fileno()))\n"
        "run(Command('Works.', main), [], 'mim work')"
    )
    for streams, status in ((">&- 2>&-", 0), (">/dev/full 2>/dev/full", 1), ("| true", 0)):
        command = f"{sys.executable} -c '$PROGRAM' {streams}; exit ${{PIPESTATUS[0]}}"
        command = command.replace("'$PROGRAM'", '"$PROGRAM"')
        done = subprocess.run(["bash", "-c", command], env={**os.environ, "PROGRAM": program})
        assert done.returncode == status
        assert int((tmp_path / "done").read_text()) > 2
        (tmp_path / "done").unlink()


IMPORTING = """
import os, signal, sys
from mim_tf.cli.command import import_keras

class AtTheFirstImport:
    def find_spec(self, name, *_):
        if name == "tensorflow":
            {}

sys.meta_path.insert(0, AtTheFirstImport())
import_keras()
print("not reached")
"""


@pytest.mark.parametrize(
    ("event", "printed", "status"),
    [
        ("os.kill(os.getpid(), signal.SIGINT)", "\ninterrupted\n", 128 + signal.SIGINT),
        # TensorFlow aborts, for example, on a processor without AVX.
        (
            "os.write(2, b'TensorFlow needs AVX'); os.abort()",
            "TensorFlow needs AVX",
            -signal.SIGABRT,
        ),
    ],
)
def test_what_ends_the_import_of_keras_is_visible(monkeypatch, event, printed, status):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    program = [sys.executable, "-c", IMPORTING.format(event)]
    done = subprocess.run(program, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("", printed, status)


@dataclasses.dataclass
class Flags:
    output: str = field("", "What to make.")
    fast: bool = field(False, "Not slow.")


@pytest.fixture
def calls():
    """Values of flags and arguments that the command was called with."""
    return []


@pytest.fixture
def command(calls):
    return Command(
        "Makes a thing.",
        lambda values, path: calls.append((values.output, values.fast, path)),
        Flags,
        configs=(DataConfig, TrainingConfig),
        required=("output",),
        arguments=("PATH",),
        defaults={"max_test_sequences": 0},
    )


def fails(command, capsys, arguments=()):
    with pytest.raises(SystemExit) as exit_info:
        run(command, arguments, "mim make")
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return exit_info.value.code, message


def test_flags_come_before_and_after_arguments_and_from_flagfiles(command, calls, tmp_path):
    (tmp_path / "a.cfg").write_text("# a comment\n--output=b\n")
    run(command, ["--output=a", "here", "--fast"], "mim make")
    run(command, ["x", f"--flagfile={tmp_path / 'a.cfg'}"], "mim make")
    assert calls == [("a", True, "here"), ("b", False, "x")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x"], "--output"),
        (["--output=a"], "PATH"),
        (["--output=a", "x", "y"], "x y"),
        (["--outptu=a", "x"], "Did you mean --output?"),
        (["--output=a", "x", "--batch_size=many"], "a positive integer as --batch_size"),
        (["--output=a", "x", "--seed=1.5"], "--seed"),
        (["--output=a", "x", "--fast=maybe"], "true or false as --fast"),
        (["--output=a", "x", "--lr_schedule=cosin"], "cosine"),
        (["x", "--output"], "--output"),
        (["--flagfile=nowhere.cfg"], "nowhere.cfg"),
    ],
)
def test_a_wrong_command_line_is_answered_in_one_line(command, capsys, calls, arguments, words):
    status, message = fails(command, capsys, arguments)
    assert status == 2
    assert words in message
    assert message.endswith("`mim make --help` lists its flags.\n")
    assert calls == []


def test_a_flagfile_that_cannot_be_read_is_not_waited_for(command, capsys, tmp_path):
    os.mkfifo(tmp_path / "pipe.cfg")
    (tmp_path / "a.cfg").write_text(f"--flagfile={tmp_path / 'pipe.cfg'}\n--flagfile=a.cfg\n")
    (tmp_path / "b.cfg").write_bytes("--output=é\n".encode("latin-1"))
    for name, named in (("pipe.cfg", "pipe.cfg"), ("a.cfg", "pipe.cfg"), ("b.cfg", "b.cfg")):
        status, message = fails(command, capsys, [f"--flagfile={tmp_path / name}"])
        assert status == 2
        assert named in message


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (MimError("a.h5: expected weights."), 1, "error: a.h5: expected weights.\n"),
        (OSError(28, "No space left", "a.h5"), 1, "a.h5: No space left"),
        (MemoryError("8 TiB"), 1, "--batch_size"),
        (RuntimeError("RESOURCE_EXHAUSTED: 8 TiB\nand more"), 1, "--batch_size"),
    ],
)
def test_an_error_is_one_line(capsys, error, status, words):
    def main(values):
        raise error

    found, message = fails(Command("Fails.", main, Flags), capsys)
    assert found == status
    assert words in message


def test_ctrl_c_and_mistakes_of_the_program(capsys):
    def main(values):
        raise errors.pop()

    errors = [ValueError("a mistake"), KeyboardInterrupt()]
    with pytest.raises(SystemExit) as exit_info:
        run(Command("Fails.", main, Flags), [], "mim fail")
    assert (exit_info.value.code, capsys.readouterr().err) == (130, "\ninterrupted\n")
    with pytest.raises(ValueError, match="a mistake"):
        run(Command("Fails.", main, Flags), [], "mim fail")


def test_values_have_the_types_of_their_fields():
    values = absl_flags.FlagValues()
    define_config_flags(*GROUPS, values=values)
    typed = "--dataset_name=mnist --num_hidden=8,8 --layer_norm=False --lr=1 --scheduled_sampling"
    values(["mim", *typed.split(), "--thresholds=1,2.5", "--seed=3"])
    assert given(ModelConfig, values) == {"num_hidden": (8, 8), "layer_norm": False}
    assert given(DataConfig, values) == {"dataset": "mnist", "thresholds": (1.0, 2.5)}
    assert given(TrainingConfig, values) == {"lr": 1.0, "scheduled_sampling": True, "seed": 3}
    assert given(DeviceConfig, values) == {}
    with pytest.raises(MimError, match="numbers separated by commas as --num_hidden"):
        parse(values, ["--num_hidden=8,x"])


def run_py(*flags):
    program = [sys.executable, str(Path(__file__).parents[2] / "run.py"), *flags]
    return subprocess.run(program, capture_output=True, text=True)


def test_run_py_has_the_flags_of_mim_train(mim):
    lines = run_py("--helpfull").stdout.splitlines()
    assert any("is_training" in line for line in lines)
    train = mim("train", "--helpfull").splitlines()
    flags = {line for line in train if line.lstrip().startswith("--")}
    assert len(flags) > 50
    assert flags < set(lines)


def test_run_py_asks_for_weights_and_for_values_behind_a_sign_of_equality():
    for flags, words in (
        (["--is_training=False"], "--pretrained_model"),
        (["--is_training", "False"], "--is_training=False"),
    ):
        result = run_py(*flags)
        assert result.returncode == 2
        assert words in result.stderr.splitlines()[0]
