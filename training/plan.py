"""What a training is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from model.taxonomy import Taxonomy
from training import encoder as encoders
from training.fit import Settings

Precision = Literal["int8", "fp32"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to train and how.

    `encoder` is a source of `training.encoder.load`; `keep_languages` trims its vocabulary. With `start`, an earlier
    bundle's weights, training goes on from there instead, by `settings.fine_tuning()`; otherwise, with `few`, by what
    suits few labels where they are few. With `keep_weights` the new bundle keeps its own. `dataset` is the fingerprint
    of the dataset that the sides were taken from, if they are not all of it. `threshold_shift` is that of
    `training.calibrate`. 8 bits are compared with 32 on `parity_records` or more, half of them learnt and half unseen;
    on all of either, if there are not so many.
    """

    taxonomy: Taxonomy
    settings: Settings = field(default_factory=Settings)
    encoder: str = encoders.PACKAGE
    keep_languages: tuple[str, ...] = ()
    start: Path | None = None
    few: bool = False
    keep_weights: bool = False
    dataset: str = ""
    precision: Precision = "int8"
    threshold_shift: float = 0.0
    parity_records: int = 4_000
    title: str = "A Tympan model"
    notes: tuple[str, ...] = ()
