"""Refusals: what was asked cannot be done, for a reason that the asker can mend. Messages are shown as they are."""


class Refused(Exception):
    """Base of every refusal. `code` tells programs what kind it is; the message tells people what to do."""

    code = "refused"


class Invalid(Refused):
    """A value is missing, unknown or contradicts another."""

    code = "invalid"


class Conflict(Refused):
    """Somebody else was first, or the thing is no longer as the asker saw it."""

    code = "conflict"


class NotAllowed(Refused):
    """The asker lacks the role."""

    code = "not_allowed"
