"""The errors Skyweave raises on purpose: each message tells its reader what to do next."""


class SkyweaveError(Exception):
    """Something a user can act on; the command line prints the message and exits with 1.

    The message is one line: what of a user's input could break it, or steer a terminal, is escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in message))


class InputError(SkyweaveError):
    """A file, key or value was refused: where, what was found, what was expected, what to do."""
