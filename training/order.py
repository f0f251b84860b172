"""What a retraining is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labels.record import Record
from model.registry import Registry
from training.encoder import PACKAGE
from training.gather import Sources
from training.release import Rules


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to retrain and how.

    `dataset` keeps the versions of all labels; its first is made of `base`, the records that the champion was trained
    on. With `promote` unset a challenger that passes is held and not promoted. `recent` are mentions to tell by how
    counts would move.
    """

    registry: Registry
    dataset: Path
    base: Path
    sources: Sources
    rules: Rules = field(default_factory=Rules)
    encoder: str = PACKAGE
    anew: bool = False
    promote: bool = True
    recent: Sequence[Record] = ()
