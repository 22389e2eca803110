"""Values: the scale of frames, the step between them, and how numbers are printed."""
