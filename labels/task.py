"""A mention as a task of Label Studio, and what people answered to it as a record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from labels.record import Record
from labels.schema import TagLists
from model.mention import Mention
from model.watchlist import Organisation, Watchlist, considered

KEY = "mention"
"""The field of a task's data that tells mentions apart: Label Studio itself does not."""
EVENTS = "label-studio-events.jsonl"
"""The file of TYMPAN_STATE in which the service keeps what Label Studio tells it."""
ROUND = "round"
"""The field that says which reading a task waits for: 2 when the first ones could not be settled."""


def key(mention: Mention) -> str:
    """24 hexadecimal digits of what is labelled: a text towards a target, whoever sends it and however often."""
    told = json.dumps([mention.text, mention.target], ensure_ascii=False)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def to_data(mention: Mention, *, watchlist: Watchlist, source: str | None = None) -> dict[str, Any]:
    """The data of a task. `about` is what a labeller sees above the text: target, source and date.

    WatchlistError if the watchlist does not name the mention's target.
    """
    watchlist, target = considered(watchlist, mention.target)
    seen = [f"→ {target}" if target else "", source or "", (mention.created_at or "")[:10]]
    return {
        KEY: key(mention),
        "id": mention.id,
        "text": mention.text,
        "lang": mention.lang,
        "target": target,
        "watchlist": [organisation.to_dict() for organisation in watchlist.organisations],
        "source": source,
        "created_at": mention.created_at,
        "about": " · ".join(filter(None, seen)) or "–",
    }


def to_record(
    data: Mapping[str, Any], tags: TagLists, *, unsure: TagLists | None = None, annotators: Sequence[str] = ()
) -> Record:
    """The record of a task's data; its id is the mention's key, since several tasks may have one mention's id."""
    return Record(
        id=str(data[KEY]),
        text=str(data["text"]),
        lang=data.get("lang"),
        target=data.get("target"),
        watchlist=tuple(map(Organisation.from_dict, data.get("watchlist") or ())),
        tags=tags,
        unsure=unsure or {},
        source=data.get("source"),
        annotators=tuple(annotators),
        created_at=data.get("created_at"),
    )
