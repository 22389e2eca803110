"""The environment of this process: the backend of Keras, its memory and optional packages."""
