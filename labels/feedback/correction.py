"""A correction: what one person says of one group of tags of a mention."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from labels.errors import CorrectionError
from model.taxonomy import Taxonomy
from model.watchlist import Organisation

_UNSTORED = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Correction:
    """Either all `tags` of a group that are right, none of them if empty, or some that are `wrong` and no word more.

    `mention` is the mention's id, `watchlist` and `target` what its text is read with, `at` a moment with a time zone,
    `model` the version that tagged it. Without an `id` of its own the correction has its digest as one.
    CorrectionError if it has both or neither of `tags` and `wrong`, or `at` has no time zone.
    """

    mention: str
    text: str
    lang: str | None = None
    target: str | None = None
    watchlist: tuple[Organisation, ...] = ()
    group: str
    tags: tuple[str, ...] | None = None
    wrong: tuple[str, ...] | None = None
    who: str
    at: datetime
    model: str | None = None
    id: str = ""

    def __post_init__(self) -> None:
        if self.tags is not None and self.wrong is not None:
            raise CorrectionError("tags", "are given, and wrong is too", "Give one of them")
        if self.tags is None and not self.wrong:
            raise CorrectionError(
                "tags", "are missing, and wrong is too", "Give all that are right, [] for none of them"
            )
        if self.at.tzinfo is None:
            raise CorrectionError("at", "has no time zone", "Give one")
        if not self.id:
            object.__setattr__(self, "id", self.digest)

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits of what is said, of what and by whom; the same whenever it is said."""
        verdict = ["wrong", *sorted({*self.wrong})] if self.wrong else ["tags", *sorted({*(self.tags or ())})]
        told = [self.mention, self.text, self.target, self.group, self.who, verdict]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]

    def current(self, taxonomy: Taxonomy) -> Correction:
        """The correction under the present names of its tags.

        TaxonomyError if `taxonomy` has no such group or tag, CorrectionError if several tags of an exclusive group
        would be right.
        """
        group = taxonomy.group(self.group)
        if self.wrong is not None:
            return replace(self, wrong=tuple(dict.fromkeys(map(group.current, self.wrong))))
        tags = tuple(group.deepest(map(group.current, self.tags or ())))
        if group.kind == "exclusive" and len(tags) > 1:
            problem = f"are {', '.join(tags)}, and {group.name} is exclusive"
            raise CorrectionError(f"tags.{group.name}", problem, "Give one of them")
        return replace(self, tags=tags)


def storable(text: str) -> str:
    """`text` without NUL and halves of characters, which no database takes and `model.mention.prepare` drops."""
    return _UNSTORED.sub("", text)
