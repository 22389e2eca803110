"""The one error class for everything a user can mend."""


class MimError(ValueError):
    """Bad input: says what was expected, what was received and how to mend it."""
