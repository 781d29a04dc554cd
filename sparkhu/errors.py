"""The errors that Sparkhu raises on purpose, each with the exit code it ends a command with."""


class SparkhuError(Exception):
    """A failure of Sparkhu or of a system around it (storage, disk, registry)."""

    exit_code = 1


class InputError(SparkhuError, ValueError):
    """What the user gave cannot be used: a parameter, a file, a column.

    The message names the parameter or the row, the value, and the way out.
    """

    exit_code = 2


class RegistryAwayError(SparkhuError):
    """The model registry cannot be used now; what it was to hold can be kept and registered later."""
