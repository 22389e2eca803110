"""Evaluation of a weights file on the test split."""

from pathlib import Path

from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.data.open import open_source
from mim_tf.evaluation.evaluate import evaluate
from mim_tf.evaluation.pictures import save_sample
from mim_tf.evaluation.report import format_scores, write_scores
from mim_tf.models import build_model
from mim_tf.runs import new_run_folder, write_record
from mim_tf.start_up import skip_graph_rewriting
from mim_tf.weights import load_weights


def test(path, model_config: ModelConfig, data_config: DataConfig, settings: dict):
    """Scores the weights of `path` on every test sequence and writes scores and pictures.

    Args:
        path: a weights file.
        model_config: its configuration, with the lengths to evaluate.
        data_config: what on.
        settings: fields of `TrainingConfig` other than their defaults; by default all sequences
            are evaluated.

    Returns:
        The scores as text, and the new folder `gen_frm_dir/test-...` that holds them.
    """
    skip_graph_rewriting()
    config = TrainingConfig(**{"max_test_sequences": 0, **settings})
    model = build_model(model_config)
    load_weights(model, path)
    source = open_source(data_config, model_config, "test")
    folder, input_length = new_run_folder(config.gen_frm_dir, "test"), model_config.input_length
    record = {"pretrained_model": str(Path(path).resolve()), **source.describe()}
    write_record(folder, model_config, data_config, config, {"test": record})

    def save(number, truth, forecast):
        save_sample(folder / str(number), truth, forecast, input_length, source.scale)

    result = evaluate(model, source, config, save)
    write_scores(folder / "scores", result, input_length)
    return format_scores(result, input_length), folder
