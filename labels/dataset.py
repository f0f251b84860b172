"""A dataset: records on their sides, as Parquet files that every tool of the field reads, with a fingerprint.

In its folder are `train.parquet`, `validation.parquet` and `test.parquet` (none for a side without records) and
`dataset.json`: the fingerprint, the taxonomy, and how many records of every language and tag each side has. A folder
that keeps versions (see `labels/versions.py`) stands for the latest of them.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labels.errors import DatasetError
from labels.extra import library
from labels.record import Record
from labels.split import FRACTIONS, split
from model.bundle import replaceable, written_whole
from model.language import UNKNOWN
from model.taxonomy import Taxonomy

if TYPE_CHECKING:
    from datasets import DatasetDict

SCHEMA = 1
MANIFEST = "dataset.json"
VERSIONS, LATEST = "versions", "latest"
"""Of a folder that keeps versions: where they are, and the file that names the latest."""


def fingerprint(records: Iterable[Record]) -> str:
    """64 hexadecimal digits that change with any change to any record, and not with their order."""
    lines = sorted(_canonical(record) for record in records)
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


def to_datasets(sides: Mapping[str, Sequence[Record]], taxonomy: Taxonomy) -> DatasetDict:
    """Side → records as a `datasets.DatasetDict`. In `tags`, null is an unlabelled group, [] none of its tags."""
    datasets = library("datasets")
    text = datasets.Value("string")
    texts = [text]
    groups = {group.name: texts for group in taxonomy.groups}
    features = datasets.Features(
        {
            **dict.fromkeys(("id", "text", "lang", "target"), text),
            "watchlist": [{"name": text, "role": text, "aliases": texts}],
            "tags": groups,
            "unsure": groups,
            **dict.fromkeys(("source", "created_at"), text),
            "annotators": texts,
        }
    )
    found = {}
    for name, records in sides.items():
        rows = [_row(record, taxonomy) for record in records]
        columns = {column: [row[column] for row in rows] for column in features}
        found[name] = datasets.Dataset.from_dict(columns, features=features)
    return datasets.DatasetDict(found)


def save(
    folder: str | Path,
    sides: Mapping[str, Sequence[Record]],
    *,
    taxonomy: Taxonomy,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write a dataset whole, and return its manifest with what `more` adds. An earlier dataset in `folder` is replaced.

    DatasetError if `folder` holds anything else, or cannot be written.
    """
    folder = Path(folder)
    if not replaceable(folder, MANIFEST):
        raise DatasetError(str(folder), "holds something that is no dataset", "Choose another folder")
    manifest = {
        "schema": SCHEMA,
        "fingerprint": fingerprint(record for records in sides.values() for record in records),
        "taxonomy": taxonomy.id,
        "sides": {name: counts(records) for name, records in sides.items()},
        **(more or {}),
    }
    with written_whole(folder) as draft:
        with _without_progress_bars():
            for name, dataset in to_datasets(sides, taxonomy).items():
                if len(dataset):  # `datasets.load_dataset` fails on a folder with a side of no records
                    dataset.to_parquet(str(draft / f"{name}.parquet"))
        text = json.dumps(manifest, ensure_ascii=False, indent=2)
        (draft / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return manifest


def load(folder: str | Path, taxonomy: Taxonomy | None = None) -> dict[str, list[Record]]:
    """Read what `save` wrote: side → its records.

    DatasetError if a file is missing, a record was altered, or the labels are of another tag set than `taxonomy`. Its
    former names of tags come back as present ones; TaxonomyError for a name that it does not know.
    """
    parquet = library("pyarrow.parquet")
    folder = current(folder)
    manifest = manifest_of(folder)
    if taxonomy and manifest["taxonomy"] != taxonomy.id:
        problem = f"is labelled with {manifest['taxonomy']}, not {taxonomy.id}"
        raise DatasetError(str(folder), problem, "Give its tag set, or model")
    sides = {}
    for name, side in manifest["sides"].items():
        file = folder / f"{name}.parquet"
        try:
            rows = parquet.read_table(file).to_pylist() if side["records"] else []
            sides[name] = [_record(row) for row in rows]
        except (OSError, ValueError, KeyError) as error:  # pyarrow's own errors derive from these
            raise DatasetError(str(file), "is missing or cannot be read", "Write the dataset again") from error
    if fingerprint(record for records in sides.values() for record in records) != manifest["fingerprint"]:
        raise DatasetError(str(folder), "was altered since it was written", "Write the dataset again")
    if not taxonomy:
        return sides
    return {name: [record.present(taxonomy) for record in records] for name, records in sides.items()}


def current(folder: str | Path) -> Path:
    """The folder of the dataset that `folder` means: itself, or the latest version that it keeps."""
    folder = Path(folder)
    try:
        return folder / VERSIONS / (folder / LATEST).read_text(encoding="utf-8").strip()
    except OSError:  # no versions are kept, or the first was written and not yet named
        return max((path for path in (folder / VERSIONS).glob("[!.]*")), default=folder)


def is_dataset(folder: str | Path) -> bool:
    """Whether there is one to load."""
    return (current(folder) / MANIFEST).is_file()


def counts(records: Sequence[Record]) -> dict[str, Any]:
    """How many records there are, by language and by `group/tag`; a parent counts with its leaves."""
    tags = Counter(f"{group}/{path}" for record in records for group in record.tags for path in record.closed(group))
    return {
        "records": len(records),
        "languages": dict(sorted(Counter(record.lang or UNKNOWN for record in records).items())),
        "tags": dict(sorted(tags.items())),
    }


def _canonical(record: Record) -> bytes:
    data = record.to_dict()
    for key in ("tags", "unsure"):
        data[key] = {group: sorted(paths) for group, paths in data.get(key, {}).items()}
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _row(record: Record, taxonomy: Taxonomy) -> dict[str, Any]:
    data = record.to_dict()
    for key in ("tags", "unsure"):
        given = data.get(key, {})
        for name in given:
            taxonomy.group(name)  # an unknown group must not vanish from the file
        data[key] = {group.name: given.get(group.name) for group in taxonomy.groups}
    absent: dict[str, Any] = {"watchlist": [], "annotators": []}
    return {**dict.fromkeys(("lang", "target", "source", "created_at")), **absent, **data}


def _record(row: Mapping[str, Any]) -> Record:
    given = {key: {name: paths for name, paths in row[key].items() if paths is not None} for key in ("tags", "unsure")}
    return Record.from_dict({**row, **given})


def manifest_of(folder: Path) -> dict[str, Any]:
    """What `save` returned for the dataset in `folder`; DatasetError if there is none."""
    try:
        data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(str(folder), "is no dataset", "Make one with `tympan labels split`") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise DatasetError(str(folder / MANIFEST), "is of another schema", "Write the dataset again")
    return data


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    datasets = library("datasets")
    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


__all__ = [
    "FRACTIONS",
    "counts",
    "current",
    "fingerprint",
    "is_dataset",
    "load",
    "manifest_of",
    "save",
    "split",
    "to_datasets",
]
