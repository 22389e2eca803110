"""Loss, optimizers, state, devices and callbacks of a training."""
