"""Loss, optimizer, and the run that trains a model."""
