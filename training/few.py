"""Settings for few labels: as many steps as learning takes, whatever the number of texts.

A training that passes over little data as often as over much takes too few steps to learn from it (Mosbach et al., "On
the stability of fine-tuning BERT", 2021; Zhang et al., "Revisiting few-sample BERT fine-tuning", 2021). Which settings
win was measured: docs/few-labels.md.
"""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console

from training.fit import Settings

FEW = 64
"""Texts to learn from for each tag, up to which they are few."""
_BATCH = 8
_STEPS = 400
_MOST_EPOCHS = 30


def adapted(settings: Settings, texts: int, tags: int, *, console: Console | None = None) -> Settings:
    """`settings`, or where `texts` are few for so many `tags` the same with smaller batches and more epochs.

    The console is told of a change and why.
    """
    if texts > FEW * tags:
        return settings
    epochs = max(settings.epochs, min(_MOST_EPOCHS, math.ceil(_STEPS * _BATCH / texts)))
    found = replace(settings, batch_size=_BATCH, epochs=epochs, patience=epochs)
    if console:
        told = f"few labels, {texts:,} texts for {tags:,} tags: batches of {_BATCH} and {epochs} epochs"
        console.print(told, highlight=False)
    return found


def changed(settings: Settings, used: Settings) -> dict[str, Any]:
    """Name → value of what `used` has other than `settings`."""
    before = asdict(settings)
    return {name: value for name, value in asdict(used).items() if value != before[name]}
