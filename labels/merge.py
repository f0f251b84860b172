"""New labels among those that are known: no text is learnt twice, and of what was said of it the newest counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from labels.record import Record
from labels.task import key
from model.mention import Mention


def merge(known: Sequence[Record], new: Iterable[Record]) -> list[Record]:
    """`known` in their order with what `new` says of them, then the new ones; the later of `new` count more.

    Two records are of one mention if they are the same once prepared, whatever their ids. Known ones keep their ids,
    which say on what side of a dataset they stand. A new one whose id is another's gets the id of `labels.task.key`.
    """
    found = {record.id: record for record in known}
    ids: dict[str, list[str]] = {}
    for record in known:
        ids.setdefault(record.prepared(), []).append(record.id)
    for record in new:
        same = ids.get(record.prepared(), [])
        if not same and record.id in found:  # another mention under that id, unless its key is known as well
            record = replace(record, id=key(Mention(record.id, record.text, target=record.target)))
            same = [record.id] if record.id in found else []
        for known_id in same:
            found[known_id] = _corrected(found[known_id], record)
        if not same:
            found[record.id] = record
            ids[record.prepared()] = [record.id]
    return list(found.values())


def _corrected(old: Record, new: Record) -> Record:
    """`old` with the cells of which `new` is sure."""
    tags, unsure = dict(old.tags), dict(old.unsure)
    for group, paths in new.tags.items():
        left_open = set(new.unsure.get(group, ()))
        if group in old.tags:
            paths = _deepest((*paths, *sorted(old.closed(group) & left_open - set(paths))))
            left_open &= set(old.unsure.get(group, ()))
        tags[group] = paths
        unsure[group] = tuple(path for path in new.unsure.get(group, ()) if path in left_open)
    people = tuple(dict.fromkeys((*old.annotators, *new.annotators)))
    return replace(old, tags=tags, unsure={group: paths for group, paths in unsure.items() if paths}, annotators=people)


def _deepest(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Without those that follow from another."""
    return tuple(path for path in paths if not any(other.startswith(f"{path}/") for other in paths))
