"""The root of every error the projections raise."""


class ProjectionsError(Exception):
    """A process of the projections cannot go on; the message says what to do about it."""


class PortTaken(ProjectionsError):
    """Metrics cannot be served where the settings say."""


class DatabaseFailed(ProjectionsError):
    """The database could not be reached or refused a statement."""
