"""The errors of this room."""

from __future__ import annotations

from model.errors import TympanError


class ServingError(TympanError):
    """Base of the errors of `serving/`."""


class SettingsError(ServingError):
    """A setting, in the environment or on the command line, that cannot be used."""


class SlowRequestError(ServingError):
    """A request whose body does not come in the time that the settings give it."""


class WorkerError(ServingError):
    """A process of the service that does not start."""


class RequestTooLargeError(ServingError):
    """A request beyond the limits of this service."""


class MediaTypeError(ServingError):
    """A request whose body is not in a format that the route reads."""


class CredentialsError(ServingError):
    """A call without the user and password that the settings ask for."""


class PrioritiesError(ServingError):
    """A file of rules of priority that cannot be used, or is for another tag set."""


class KeysError(ServingError):
    """A file of keys that cannot be read or written, or a key that it does not hold or cannot take."""


class AccessError(ServingError):
    """A call without a key that is good."""


class ScopeError(ServingError):
    """A call whose key does not have the scope that the route needs."""


class MisfitError(ServingError):
    """A project of Label Studio whose tags are not the model's."""


class UnknownModelError(ServingError):
    """A model, by its name, that is not the one served."""


class NotHeldError(ServingError):
    """A change of model that the models held do not allow."""


class UnfitModelError(ServingError):
    """A model held that is altered or cannot be run."""


class UncomputedError(ServingError):
    """A text that the model failed on, in a protocol that has no place for an error of one text."""


class BusyError(ServingError):
    """No room for another request; in `seconds` there may be."""

    def __init__(self, where: str, problem: str, remedy: str, *, seconds: int) -> None:
        super().__init__(where, problem, remedy)
        self.seconds = seconds


class QuotaError(BusyError):
    """A call beyond what its key may ask for in a minute."""


class DeadlineError(ServingError):
    """A request that could not be answered in the time that its caller, or the settings, give it."""


class NotReadyError(ServingError):
    """The service is starting or stopping."""


class JobsOffError(ServingError):
    """A call about jobs to a service that keeps none."""


class UnknownJobError(ServingError):
    """A job that is not there, or is another caller's."""


class JobStateError(ServingError):
    """A call that does not fit how far a job has come, or the request that it was made by."""


class NotAllowedError(ServingError):
    """A storage or host that the settings do not allow."""


class StoreError(ServingError):
    """The folder of jobs, in which nothing can be written."""


class FeedbackOffError(ServingError):
    """A correction sent to a service that keeps none."""


class FeedbackDownError(BusyError):
    """The database of corrections, which cannot be reached or used; in `seconds` it may."""


class TableError(ServingError):
    """A file of mentions that cannot be read, or a place where none can be written."""
