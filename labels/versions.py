"""A folder that keeps every version of a dataset: what was learnt from and tested on stays known, and comparable.

DATASET/
  versions/0001-9f2c…/   a dataset, as `labels/dataset.py` writes it
  latest                 the name of the newest, replaced atomically
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labels.dataset import LATEST, VERSIONS, current, fingerprint, load, manifest_of, save, split
from labels.duplicates import families
from labels.errors import DatasetError
from labels.record import Record
from model.taxonomy import Taxonomy


@dataclass(frozen=True)
class Difference:
    """From one dataset to another: ids of records, and `group/tag` or language → counts before and after."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    relabelled: tuple[str, ...]
    """Those with other tags or unsure cells."""
    moved: tuple[str, ...]
    """Those on another side."""
    tags: Mapping[str, tuple[int, int]]
    languages: Mapping[str, tuple[int, int]]


def add(
    folder: Path,
    records: Sequence[Record],
    *,
    taxonomy: Taxonomy,
    seed: int = 0,
    sides: Mapping[str, Sequence[Record]] | None = None,
) -> dict[str, Any] | None:
    """Write `records` as the next version and return its manifest; None if they are those of the latest.

    A record that was ever on the test side of a version stays there, with what is nearly the same text; others stay
    where they were. The manifest names as `held_out` all that were ever on the test side, and as `learnt` those of them
    that were on another side before, until a near copy drew them there, with what is new and like them. `sides` are
    those of the first version, if it was split before. DatasetError if there are no records, or `folder` holds
    something else.
    """
    if not records:
        raise DatasetError(str(folder), "would have no record", "Label some mentions first")
    latest = manifest_of(current(folder)) if versions(folder) else None
    if latest and latest["fingerprint"] == fingerprint(records) and latest["taxonomy"] == taxonomy.id:
        return None
    before = load(folder) if latest else {}
    fixed = {record.id: side for side, found in before.items() for record in found}
    fixed |= dict.fromkeys(latest["held_out"] if latest else (), "test")
    sides = split(records, seed=seed, fixed=fixed) if latest or sides is None else sides
    held_out = {record.id for record in sides["test"]} | {name for name, side in fixed.items() if side == "test"}
    drawn = _drawn(sides["test"], fixed)
    name = f"{1 + len(versions(folder)):04d}-{fingerprint(records)[:12]}"
    more = {
        "parent": latest["fingerprint"] if latest else None,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "held_out": sorted(held_out),
        "learnt": sorted(drawn | (learnt(folder) if latest else set())),
    }
    manifest = save(folder / VERSIONS / name, sides, taxonomy=taxonomy, more=more)
    draft = folder / f".{LATEST}"
    draft.write_text(name + "\n", encoding="utf-8")
    draft.replace(folder / LATEST)
    return manifest


def _drawn(tested: Sequence[Record], fixed: Mapping[str, str]) -> set[str]:
    """The ids of what may have been learnt though it is tested on; `fixed` says on which sides records were before."""
    drawn = {record.id for record in tested if fixed.get(record.id, "test") != "test"}
    if not drawn:
        return set()
    alike = [{tested[position].id for position in family} for family in families(tested)]
    return {name for family in alike if family & drawn for name in family if fixed.get(name) != "test"}


def learnt(folder: str | Path) -> frozenset[str]:
    """The ids on the test side of a dataset (its latest version) that an earlier model may have learnt from."""
    return frozenset(manifest_of(current(folder)).get("learnt", ()))


def versions(folder: Path) -> list[Path]:
    """The folders of all versions, the oldest first."""
    kept = folder / VERSIONS
    return sorted(path for path in kept.iterdir() if path.name[0] != ".") if kept.is_dir() else []


def difference(before: str | Path, after: str | Path) -> Difference:
    """Compare two datasets, each a folder of one or one that keeps versions (its latest)."""
    old, new = _by_id(before), _by_id(after)
    both = [name for name in new if name in old]
    return Difference(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        relabelled=tuple(name for name in both if labels_of(old[name][1]) != labels_of(new[name][1])),
        moved=tuple(name for name in both if old[name][0] != new[name][0]),
        tags=_counted(before, after, "tags"),
        languages=_counted(before, after, "languages"),
    )


def labels_of(record: Record) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """What people say of it, tags and unsure cells, in whatever order they came."""
    tags, unsure = ({group: set(paths) for group, paths in found.items()} for found in (record.tags, record.unsure))
    return tags, unsure


def _by_id(folder: str | Path) -> dict[str, tuple[str, Record]]:
    return {record.id: (side, record) for side, found in load(folder).items() for record in found}


def _counted(before: str | Path, after: str | Path, what: str) -> dict[str, tuple[int, int]]:
    old, new = (_total(manifest_of(current(folder)), what) for folder in (before, after))
    return {name: (old.get(name, 0), new.get(name, 0)) for name in sorted({*old, *new})}


def _total(manifest: Mapping[str, Any], what: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for side in manifest["sides"].values():
        for name, count in side[what].items():
            found[name] = found.get(name, 0) + count
    return found
