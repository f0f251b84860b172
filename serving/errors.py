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


class NotReadyError(ServingError):
    """The service is starting or stopping."""


class TableError(ServingError):
    """A file of mentions that cannot be read, or a place where none can be written."""
