"""What suits few labels: learning from pairs of texts, or as many steps as learning takes whatever the number of texts.

Of few tags in one group, or very few texts of one, the encoder learns most from pairs (`training/contrast.py`). Else it
is trained as ever, but a training that passes over little data as often as over much takes too few steps to learn from
it (Mosbach et al., "On the stability of fine-tuning BERT", 2021; Zhang et al., "Revisiting few-sample BERT
fine-tuning", 2021). Which way wins was measured: docs/few-labels.md.
"""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console

from model.taxonomy import Taxonomy
from training import contrast
from training.fit import Settings

FEW = 32
"""Texts to learn from for each tag, up to which they are few."""
FEWEST = 8
"""Texts for each tag, up to which it is learnt from pairs however many tags the group has."""
MOST_TAGS = 16
"""Of one group, up to which it is learnt from pairs: of more, that was no better (docs/few-labels.md)."""
_BATCH = 8
_STEPS = 400
_MOST_EPOCHS = 30


def contrasted(texts: int, taxonomy: Taxonomy, *, console: Console | None = None) -> bool:
    """Whether `texts` are few for so many tags, and best learnt from in pairs. The console is told if so."""
    tags = len(taxonomy.labels)
    most = FEW if tags <= MOST_TAGS else FEWEST
    if texts > most * tags or len(taxonomy.groups) > 1:
        return False
    if console:
        told = (
            f"few labels, {texts:,} texts for {tags:,} tags: {contrast.STEPS} steps of {contrast.PAIRS} pairs of texts"
        )
        console.print(told, highlight=False)
    return True


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
