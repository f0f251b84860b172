"""Whose mentions are to be erased: their ids and texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from labels.errors import ErasureError
from labels.task import KEY
from model.mention import prepare, wording


@dataclass(frozen=True)
class Asked:
    """Ids as they are, and texts in the `form` in which they are compared."""

    ids: frozenset[str]
    texts: frozenset[str]

    @classmethod
    def of(cls, ids: Iterable[str] = (), texts: Iterable[str] = ()) -> Asked:
        """ErasureError if there are none, or one is empty: that would be everybody's."""
        found = cls(frozenset(ids), frozenset(map(form, texts)))
        if not found.ids and not found.texts:
            raise ErasureError("--id", "is missing, and --text is too", "Say whose mention it is")
        if "" in found.texts or any(not name.strip() for name in found.ids):
            raise ErasureError("--id or --text", "is empty", "Give what names a mention")
        return found

    def also(self, texts: Iterable[str]) -> Asked:
        """The same, and more texts in their form."""
        return replace(self, texts=self.texts | frozenset(texts))

    def has(self, text: object, *ids: object) -> bool:
        """Whether a mention with this text, or one of these ids, is meant."""
        return self.has_id(*ids) or (bool(self.texts) and isinstance(text, str) and form(text) in self.texts)

    def has_id(self, *ids: object) -> bool:
        return any(name is not None and str(name) in self.ids for name in ids)

    def has_task(self, data: Mapping[str, Any]) -> bool:
        """Whether a task of Label Studio is meant, by its data."""
        return self.has(data.get("text"), task_id(data))


def form(text: str) -> str:
    """As `prepare` makes it, so that spacing, links and handles make no difference; as it is if it has nothing else."""
    prepared = prepare(text)
    return prepared if not prepared or any(map(str.isalnum, wording(prepared))) else " ".join(text.split())


def task_id(data: Mapping[str, Any]) -> object:
    """What names the mention of a task: where `tympan labels push` made it, its field `id` is but a row's number."""
    return data[KEY] if KEY in data else data.get("id")
