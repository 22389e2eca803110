"""The work of commands: train, evaluate, score, analyze, convert, presets."""
