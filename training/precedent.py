"""What became of the same labels before: of a model that was made of them and held, judged or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.bundle import Bundle
from model.errors import BundleError
from training.order import Order
from training.provenance import versions


def held(order: Order, dataset: str) -> str | None:
    """The newest version held that was made of a dataset in the way that is asked for, if there is one."""
    added = {event["version"]: at for at, event in enumerate(order.registry.history()) if event["event"] == "add"}
    for version in sorted(order.registry.versions(), key=lambda version: added.get(version, -1), reverse=True):
        try:
            provenance = Bundle.described(order.registry.folder(version)).provenance
        except BundleError:  # made by another version of Tympan
            continue
        source = provenance.get("source", order.encoder)
        as_asked = not order.anew if provenance["start"] else source == order.encoder
        if as_asked and provenance.get("dataset") == dataset:
            return version
    return None


def judged(order: Order, champion: Bundle, dataset: str, version: str) -> Mapping[str, Any] | None:
    """The event of an earlier comparison of a `version` with the same champion by the same rules, if there was one."""
    wanted = ("judge", champion.version, dataset, order.rules.to_dict(), version)
    for event in reversed(order.registry.history()):
        if tuple(event.get(name) for name in ("event", "champion", "dataset", "rules", "version")) == wanted:
            found: Mapping[str, Any] = event
            return found
    return None


def refused(order: Order, champion: Bundle, dataset: str) -> str:
    """Why the gates of the export refused what was made in the same way; empty if they never did."""
    wanted = {"event": "refuse", **way(order, champion, dataset)}
    found = [event for event in order.registry.history() if wanted.items() <= event.items()]
    return str(found[-1]["reason"]) if found else ""


def way(order: Order, champion: Bundle, dataset: str) -> dict[str, Any]:
    """What a refusal is written down with: with other libraries the same may pass."""
    what = {"champion": champion.version, "dataset": dataset, "anew": order.anew, "encoder": order.encoder}
    return {**what, "versions": versions()}
