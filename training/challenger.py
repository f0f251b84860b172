"""A new model from a champion and labels that it has not seen: fine-tuned from its weights, or made anew.

Fine-tuning reads the new labels together with a sample of what the champion learnt from, so that it forgets nothing of
it (experience replay: Rolnick et al., 2019); thresholds and probabilities are fitted on the whole validation side.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from labels.record import Record
from model.bundle import Bundle
from training import contrast, few
from training.encoder import PACKAGE
from training.fit import Settings
from training.pipeline import train
from training.plan import Plan
from training.weights import FOLDER

FRESH = 0.5
"""The share of new records from which a model is made anew: most of what it knows would be replaced anyway."""
_REPLAYED = 3
_LEAST_REPLAYED = 1_500
"""Records that were learnt before and are read again: so many for each new one, and at least so many in all."""


def make(
    champion: Bundle,
    sides: Mapping[str, Sequence[Record]],
    new: Collection[str],
    output: Path,
    *,
    dataset: str,
    encoder: str = PACKAGE,
    anew: bool = False,
    console: Console,
) -> Bundle:
    """Write a challenger to `output`, with the weights from which its own successors go on.

    `sides` are those of the dataset whose fingerprint is `dataset`, `new` the ids of records that the champion has not
    learnt from or that were relabelled. It is made anew from `encoder` if `anew` is set, if more than FRESH of the
    records are new, if the champion has no weights, or if it learnt from pairs or this one shall: from all labels, so
    that none are left to stop by. Raises as `training.pipeline.train`.
    """
    start = champion.path / FOLDER
    every = sum(map(len, sides.values()))
    settings = Settings(**champion.provenance["settings"])
    plan = Plan(
        taxonomy=champion.taxonomy,
        settings=settings,
        encoder=encoder,
        keep_languages=tuple(champion.provenance["keep_languages"]),
        precision=champion.provenance["precision"],
        threshold_shift=champion.provenance["threshold_shift"],
        few=champion.provenance.get("few", "batch_size" in champion.provenance.get("adapted", {})),  # as told before
        keep_weights=True,
        dataset=dataset,
        title=f"Retrained after {champion.version}",
        notes=(f"Of the {every:,} records that it was made from, {len(new):,} were new since {champion.version}.",),
    )
    pairs = contrast.learnt(champion.provenance) or (plan.few and few.contrasted(len(sides["train"]), plan.taxonomy))
    if not anew and start.is_dir() and len(new) <= FRESH * every and not pairs:
        console.print(f"fine-tuning {champion.version} on {len(new):,} new records")
        plan = replace(plan, start=start)
        sides = {**sides, "train": replayed(sides["train"], new, seed=settings.seed)}
    else:
        console.print(f"training anew on {every:,} records, {len(new):,} of them new")
    return train(sides, output, plan, console=console)


def replayed(records: Sequence[Record], new: Collection[str], *, seed: int) -> list[Record]:
    """The new ones of `records`, and a sample of the others."""
    fresh = [record for record in records if record.id in new]
    known = [record for record in records if record.id not in new]
    count = min(len(known), max(_LEAST_REPLAYED, _REPLAYED * len(fresh)))
    return [*fresh, *random.Random(seed).sample(known, count)]  # noqa: S311 — no secret
