"""What can go wrong for reasons a user can mend. Messages are shown to users as they are."""


class SeisloopError(Exception):
    """Base of every error whose message says what was found, what was expected, and what to do."""


class UnreadableRecording(SeisloopError):
    """A file is missing, is no recording, or is broken."""


class NotARecording(UnreadableRecording):
    """A file is of no format known to hold recordings."""


class UnusableWaveform(SeisloopError):
    """A waveform was read, but cannot serve: wrong rate, too short, too many gaps."""


class BadConfiguration(SeisloopError):
    """A setting is unknown, of the wrong type, or contradicts another."""


class Cancelled(Exception):
    """Someone asked a long job to stop. Not a failure."""
