"""The one error class for everything a user can mend."""


class MimError(ValueError):
    """Invalid input; the message says what was expected, what was received and what to do."""

    # Keras would put the sentence among "Exception encountered when calling" and all arguments.
    _keras_call_info_injected = True
