"""The errors Skyweave raises on purpose: each message tells its reader what to do next."""


class SkyweaveError(Exception):
    """Something a user can act on; the command line prints the message and exits with 1."""


class InputError(SkyweaveError):
    """A file, key or value was refused: where, what was found, what was expected, what to do."""
