"""The errors of this room: each names the file and line or the folder at fault, what is wrong and how to mend it."""

from __future__ import annotations

from model.errors import TympanError


class LabelError(TympanError):
    """Base of the errors of `labels/`."""


class RecordError(LabelError):
    """A line that is no record, or a file of records that cannot be read or written."""


class DatasetError(LabelError):
    """Records that cannot be split, or a dataset's folder that cannot be read or written."""


class ExtraError(LabelError):
    """A library of an extra that is not installed."""


class StudioError(LabelError):
    """A Label Studio server that cannot be reached, does not know the token, or says no."""


class MigrationError(LabelError):
    """A changed tag set of which it is not known what becomes of a tag in use."""


class CorrectionError(LabelError):
    """A correction that cannot be read: it says nothing, or two things."""


class FeedbackStoreError(LabelError):
    """The database of corrections, which cannot be reached or used."""


class ErasureError(LabelError):
    """A mention that cannot be erased, or not as it was asked for."""
