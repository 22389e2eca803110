"""Methods of a comparison: their names, runs with several seeds, and the split of the scores."""

import json

import numpy as np
import pytest

from mim_tf.config import DataConfig, ModelConfig, TrainingConfig
from mim_tf.errors import MimError
from mim_tf.evaluation.stored import Evaluation, write_scores
from mim_tf.report.methods import _mean_of_seeds, compare_methods, notes
from mim_tf.report.read import split_of
from tests.report.conftest import CONTEXT, SEQUENCES, evaluation, make_run


def seed(folder, number, error, model="mim", **training):
    """Write a run whose resamples of the MSE are `error` plus noise of deviation 0.1."""
    make_run(folder, model, error)
    path = folder / "run.json"
    record = json.loads(path.read_text())
    record["training"] |= {"seed": number, **training}
    path.write_text(json.dumps(record))
    result = evaluation(error)
    noise = np.random.default_rng(7).normal(0, 0.1, 2000)
    resamples = {"mse": error + 2.5 + noise, "ssim": np.full(2000, 0.5)}
    result |= {"groups": np.arange(SEQUENCES), "recordings": SEQUENCES}
    result["resamples"] = resamples | {"CSI_30": np.full(2000, np.nan)}
    write_scores(folder / "scores" / "000200", result, CONTEXT)
    return folder


@pytest.fixture
def seeds(tmp_path):
    return [seed(tmp_path / f"mim-{number}", number, 9.0 + number) for number in range(3)]


def test_seeds_are_one_method_whose_interval_includes_their_spread(seeds, tmp_path):
    other = seed(tmp_path / "other", 0, 20.0, "convlstm_net")
    comparison = compare_methods([*seeds, other])
    mim, convlstm = comparison.evaluations
    assert (mim.name, convlstm.name) == ("MIM (3 seeds)", "ConvLSTM")
    assert mim.scores["mean"] == {"mse": 12.5, "ssim": 0.5, "CSI_30": None}
    assert mim.scores["per_frame"]["mse"] == [12.5, 13.5, 14.5, 15.5]
    # Of 9, 10 and 11 the deviation is 1; Student's t with two degrees of freedom has its 97.5 %
    # quantile at 4.303. That the recordings are six widens only their part, which is small here.
    low, high = mim.scores["intervals"]["mse"]
    assert (high - low) / 2 == pytest.approx(4.303 / 3**0.5, rel=0.04)
    assert [run.name for run in mim.seeds] == [f"MIM (3 seeds), mim-{n}" for n in range(3)]
    assert mim.per_sequence["mse"].tolist() == [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]
    (difference,) = [each for each in comparison.differences if each.score == "mse"]
    assert difference.mean == 10.0
    assert np.diff(difference.interval) > 2 * 4.303 / 3**0.5  # seeds are not paired
    assert "ConvLSTM is of one seed, whose effect its interval does not include." in notes(
        comparison
    )
    assert "The intervals include the spread of the seeds." in notes(compare_methods(seeds))


@pytest.mark.parametrize("groups", [3, 1000])
def test_the_interval_of_seeds_covers_the_mean_of_all_seeds(groups):
    """Normal seeds and no other spread: 95 % of the intervals contain the true mean."""
    rng, hits = np.random.default_rng(0), 0
    for place in range(200):
        runs = [
            Evaluation(
                "",
                {"mean": {"mse": mean}, "per_frame": {"mse": [mean]}},
                {"mse": np.full(groups, mean)},
                np.arange(groups),
                {"mse": np.full(2000, mean)},
            )
            for mean in rng.normal(0, 1, 3)
        ]
        low, high = _mean_of_seeds(runs, "", place).scores["intervals"]["mse"]
        hits += low < 0 < high
    assert 0.9 < hits / 200 < 0.99


@pytest.mark.parametrize(
    ("changed", "together"),
    [({}, True), ({"lr": 0.1}, False), ({"save_dir": "there"}, True), ({"seed": 0}, False)],
)
def test_only_the_seed_may_differ(tmp_path, changed, together):
    one, other = seed(tmp_path / "a", 0, 9.0), seed(tmp_path / "b", 7, 9.0, **changed)
    assert len(compare_methods([one, other]).evaluations) == (1 if together else 2)


def test_names_of_methods_or_of_runs(seeds, tmp_path):
    other = seed(tmp_path / "other", 0, 20.0, "convlstm_net")
    for names in (["A", "B"], ["A", "B", "C", "D"]):
        found = compare_methods([*seeds, other], names).evaluations
        assert [each.name for each in found] == names
    with pytest.raises(MimError, match="2 different --names, one for each method, or 4"):
        compare_methods([*seeds, other], ["A", "B", "C"])


def test_networks_give_names_unless_they_are_equal(tmp_path):
    same = [seed(tmp_path / name, 0, 9.0, lr=lr) for name, lr in (("a", 1), ("mim", 2))]
    assert [each.name for each in compare_methods(same).evaluations] == ["a", "MIM"]
    (same[0] / "run.json").write_text("{}")
    assert compare_methods(same[:1]).evaluations[0].name == "a"
    write_scores(tmp_path / "alone", evaluation(), CONTEXT)
    (tmp_path / "alone" / "run.json").write_text("{}")
    assert compare_methods([tmp_path / "alone"]).evaluations[0].name == "alone"


def split_for(folder, data, weights="", **tested):
    write_scores(folder, evaluation(), CONTEXT)
    record = json.loads((make_run(folder.parent / "run") / "run.json").read_text())
    record |= {
        "model": vars(ModelConfig()),
        "data": vars(data),
        "training": vars(TrainingConfig()),
        "sources": {"test": {"pretrained_model": str(weights), **tested}},
    }
    (folder / "run.json").write_text(json.dumps(record))
    return split_of(folder, "0" * 64)


def test_the_split_of_scores_and_what_was_chosen_on_it(tmp_path):
    chosen = "validation split, on which the weights were chosen."
    run = make_run(tmp_path / "run")
    assert split_of(run / "scores" / "000200", "").endswith(chosen)
    assert split_for(tmp_path / "a", DataConfig()).endswith("of the test split.")
    assert "validation split too" in split_for(tmp_path / "b", DataConfig("kth"))
    weights = run / "best.weights.h5"
    weights.write_bytes(b"")
    best = {"iteration": 200, "mse": 1.0, "sha256": "0" * 64}
    words = split_for(tmp_path / "c", DataConfig(), weights)
    assert words.endswith("of the test split.")
    (run / "best.json").write_text(json.dumps(best))
    words = split_of(tmp_path / "c", "0" * 64)
    assert words.endswith("the weights were chosen on its sequences.")
    words = split_for(tmp_path / "e", DataConfig(), split="all", trained_on=["a.mp4"])
    assert "trained on some" in words
    write_scores(tmp_path / "d", evaluation(), CONTEXT)
    assert split_of(tmp_path / "d", "").endswith("is not recorded.")


def test_all_of_other_data_and_changed_forecasts_are_said(tmp_path):
    words = split_for(tmp_path / "a", DataConfig(), split="all", changes="--probability_matching")
    assert "all sequences" in words
    assert "--probability_matching" in words


def test_changed_forecasts_are_not_another_seed(seeds):
    tested = {"sources": {"test": {"changes": "--probability_matching"}}}
    record = json.loads((seeds[2] / "run.json").read_text())
    (seeds[2] / "scores" / "000200" / "run.json").write_text(json.dumps(record | tested))
    names = [each.name for each in compare_methods(seeds).evaluations]
    assert names == ["mim-0 (2 seeds)", "mim-2"]


@pytest.mark.parametrize("order", [1, -1])
def test_seeds_with_other_thresholds_share_scores_of_the_same_thresholds(order):
    def scored(**scores):
        mean = {"mse": 1.0, "CSI": np.mean(list(scores.values())), **scores}
        return Evaluation(
            "a",
            {"mean": mean, "per_frame": {name: [value] for name, value in mean.items()}},
            {name: np.full(12, value) for name, value in mean.items()},
            np.arange(12),
            {name: np.full(2000, value) for name, value in mean.items()},
        )

    runs = [scored(CSI_10=0.6, CSI_20=0.4), scored(CSI_10=0.6, CSI_20=0.4, CSI_30=0.05)][::order]
    assert _mean_of_seeds(runs, "m", 0).scores["mean"].keys() == {"mse", "CSI_10", "CSI_20"}


def test_a_score_that_no_seed_has_gets_no_interval():
    undefined = {
        "mean": {"mse": 1.0, "CSI_30": None},
        "per_frame": {"mse": [1.0], "CSI_30": [None]},
    }
    alone = {"mse": np.ones(4), "CSI_30": np.array([0.5, 0.5, np.nan, np.nan])}
    resamples = {"mse": np.ones(2000), "CSI_30": np.full(2000, 0.5)}
    runs = [Evaluation("", undefined, alone, np.arange(4), resamples) for _ in range(3)]
    assert _mean_of_seeds(runs, "", 0).scores["intervals"]["CSI_30"] is None
