"""When it is time to retrain: with enough new labels, after a drift, or when somebody asks for it in Label Studio."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from labels.dataset import load
from labels.merge import merge
from labels.task import EVENTS
from labels.versions import labels_of, learnt, versions
from model.bundle import Bundle
from model.registry import resolve
from model.tagger import Tagger
from training.drift import drifted
from training.gather import gather
from training.order import Order

_ASKED = "START_TRAINING"
_BROKEN_OFF = ("gathering", "training", "measuring", "interrupted")
"""States of a retraining that goes on when it is run again: while another process is at it, that is refused."""
_SOONER = 5
"""With a drift a fifth of the labels is enough. Not a single one: a drift may last however many come."""
_AGAIN = timedelta(hours=1)
"""After a failure that may not be one of the labels, such as a full disk."""


def due(order: Order, *, enough: int, state: Path | None, drift_age: timedelta = timedelta()) -> str:
    """Why to retrain now; empty if there is no reason.

    `enough` is how many records must be new or labelled otherwise since the newest version of the dataset; a fifth is
    if recent mentions have drifted, which is measured again when it is older than `drift_age`, and told in the
    registry. `state` is the service's folder, with the events that Label Studio told it. Raises as
    `training.gather.gather`.
    """
    registry = order.registry
    if not versions(order.dataset):
        return "the first time"
    told = registry.retraining()
    if told.get("state") in _BROKEN_OFF or (told.get("state") == "failed" and _age(told) > _AGAIN):
        return f"the last one is {told['state']}"
    asked, since = _last_asked(state) if state else None, told.get("since")
    if asked and (not since or asked > datetime.fromisoformat(since)):
        return "asked for in Label Studio"
    taxonomy = Bundle.described(registry.champion_folder()).taxonomy
    strange = _large_drifts(order, drift_age)
    known = [record for side in load(order.dataset).values() for record in side]
    before = {record.id: labels_of(record) for record in known}
    after = merge(known, gather(order.sources, taxonomy))
    new = [record for record in after if before.get(record.id) != labels_of(record)]
    if len(new) >= enough:
        return f"labels that are new: {len(new):,}"
    if strange and len(new) * _SOONER >= enough:
        return f"recent mentions differ in {', '.join(strange)}; labels that are new: {len(new):,}"
    return ""


def _large_drifts(order: Order, age: timedelta) -> list[str]:
    """In what recent mentions have become so different that even few new labels are worth it."""
    if not order.recent:
        return []
    told, champion = order.registry.drift(), order.registry.champion()
    if told.get("version") != champion or _age(told) >= age:
        tagger = Tagger.load(resolve(order.registry.path))
        known = learnt(order.dataset)
        tested = [record for record in load(order.dataset)["test"] if record.id not in known]
        found = drifted(tagger, tested, order.recent)
        order.registry.tell_drift(tagger.bundle.version, [drift.to_dict() for drift in found])
        told = order.registry.drift()
    return [drift["what"] for drift in told["drifts"] if drift["large"]]


def _age(told: Mapping[str, Any]) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(told["at"])


def _last_asked(state: Path) -> datetime | None:
    """When training was last asked for; None if never."""
    try:
        lines = (state / EVENTS).read_bytes().split(b"\n")
    except OSError:
        return None
    found = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:  # cut short by a kill
            continue
        if event.get("action") == _ASKED:
            found.append(datetime.fromisoformat(event["time"]))
    return max(found, default=None)
