"""The errors of this room."""

from __future__ import annotations

from model.errors import TympanError


class TrainingError(TympanError):
    """A dataset, an encoder or a setting that no model can be trained with."""


class GateError(TrainingError):
    """An exported model that differs too much from what was trained; nothing was released."""
