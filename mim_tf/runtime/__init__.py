"""What this process runs on: the backend of Keras, its memory and optional packages."""
