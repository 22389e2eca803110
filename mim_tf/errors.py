"""The one error class for everything a user can mend."""


class MimError(ValueError):
    """Bad input: says what was expected, what was received and how to mend it."""

    # Keras would put the sentence among "Exception encountered when calling" and all arguments.
    _keras_call_info_injected = True
