"""New labels among those that are known: no text is learnt twice, and of what was said of it the newest counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from labels.record import Record
from labels.task import key
from model.mention import Mention


def merge(known: Sequence[Record], new: Iterable[Record]) -> list[Record]:
    """`known` in their order with what `new` says of them, then the new ones; the later of `new` count more.

    Two records are of one mention if they are the same once prepared, whatever their ids. A known one keeps its id,
    which says on what side of a dataset it stands. A new one whose id is another's gets the id of `labels.task.key`.
    """
    found = {record.prepared(): record for record in known}
    ids = {record.id for record in known}
    for record in new:
        text = record.prepared()
        if text in found:
            found[text] = _corrected(found[text], record)
            continue
        if record.id in ids:
            record = replace(record, id=key(Mention(record.id, record.text, target=record.target)))
        ids.add(record.id)
        found[text] = record
    return list(found.values())


def _corrected(old: Record, new: Record) -> Record:
    """`old` with the cells of which `new` is sure."""
    tags, unsure = dict(old.tags), dict(old.unsure)
    for group, paths in new.tags.items():
        left_open = set(new.unsure.get(group, ()))
        if group in old.tags:
            paths = (*paths, *(path for path in old.tags[group] if path in left_open and path not in paths))
            left_open &= set(old.unsure.get(group, ()))
        tags[group] = tuple(paths)
        unsure[group] = tuple(path for path in new.unsure.get(group, ()) if path in left_open)
    people = tuple(dict.fromkeys((*old.annotators, *new.annotators)))
    return replace(old, tags=tags, unsure={group: paths for group, paths in unsure.items() if paths}, annotators=people)
