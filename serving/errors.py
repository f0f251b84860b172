"""The errors of this room."""

from __future__ import annotations

from model.errors import TympanError


class ServingError(TympanError):
    """Base of the errors of `serving/`."""


class SettingsError(ServingError):
    """A setting, in the environment or on the command line, that cannot be used."""


class RequestTooLargeError(ServingError):
    """A request beyond the limits of this service."""


class MediaTypeError(ServingError):
    """A request whose body is not in a format that the route reads."""


class CredentialsError(ServingError):
    """A call without the user and password that the settings ask for."""


class MisfitError(ServingError):
    """A project of Label Studio whose tags are not the model's."""


class BusyError(ServingError):
    """No room for another request; in `seconds` there may be."""

    def __init__(self, where: str, problem: str, remedy: str, *, seconds: int) -> None:
        super().__init__(where, problem, remedy)
        self.seconds = seconds


class DeadlineError(ServingError):
    """A request that could not be answered in the time that its caller, or the settings, give it."""


class NotReadyError(ServingError):
    """The service is starting or stopping."""


class TableError(ServingError):
    """A file of mentions that cannot be read, or a place where none can be written."""
