"""What the recipes say beyond the training's own settings."""

RECIPES: dict[str, dict] = {
    "paper2019": {},
    # As many different sequences as there are updates, in the precision that is faster here.
    "fast": {"precision": "auto", "train_sequences": 0},
}
"""Recipe -> defaults of fields of `ModelConfig` and `DataConfig`; those of `TrainingConfig` stand
with its fields."""
