"""The errors of this room: each names the thing at fault, what is wrong with it and how to mend it."""

from __future__ import annotations


class TympanError(Exception):
    """Base of every error that a user can cause and mend.

    `where` names the field, file or row, `problem` says what is wrong with it (with the value where that is
    no person's text), `remedy` what to do. `str()` puts the three on one line.
    """

    def __init__(self, where: str, problem: str, remedy: str = "") -> None:
        super().__init__(where, problem, remedy)
        self.where = where
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        line = f"{self.where}: {self.problem}"
        return f"{line}. {self.remedy}" if self.remedy else line


class ModelError(TympanError):
    """Base of the errors of `model/`."""


class TaxonomyError(ModelError):
    """A taxonomy file, or a tag or group that it does not know."""


class WatchlistError(ModelError):
    """A watchlist file or request, or a target that it does not name."""


class MentionError(ModelError):
    """One mention that cannot be tagged; the others of its batch can."""


class ComputationError(MentionError):
    """A mention whose text the network fails on, which may be passing."""


class BundleError(ModelError):
    """A bundle that is missing, incomplete, altered or of another schema."""


class RegistryError(ModelError):
    """A registry of bundles, or a version that it does not hold."""


class SupersededError(RegistryError):
    """A version that was to be replaced and is in use no more: somebody decided otherwise in the meantime."""
