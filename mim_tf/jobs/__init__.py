"""The work of each command: train, evaluate, predict, analyze, convert, presets."""
