"""What to know of records before a model learns from them: doubles, balance, lengths, templates, languages."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from labels.duplicates import near, normal
from labels.record import Record
from model.language import UNKNOWN, detect
from model.mention import OTHER, TARGET
from model.taxonomy import Taxonomy

ALIKE = 0.6
"""From this similarity on, two texts are shown as nearly the same."""
_SHORT = 6
"""Words below which a text counts as short."""
_LETTERS = 20
"""Letters below which no identifier tells a language reliably."""
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_PLACEHOLDER = re.compile(rf"{re.escape(TARGET)}|{re.escape(OTHER)}|@user\b|#|\bhttp\b")


@dataclass(frozen=True)
class Same:
    """Records that a model reads as one text, and whether they have the same tags."""

    ids: tuple[str, ...]
    agree: bool


@dataclass(frozen=True)
class Alike:
    """Two records of nearly the same text, its similarity in 0…1, and whether they have the same tags."""

    ids: tuple[str, str]
    similarity: float
    agree: bool


@dataclass(frozen=True)
class Lengths:
    """Of one language's texts, in words; `short` is the share below six words."""

    shortest: int
    median: float
    longest: int
    short: float


@dataclass(frozen=True)
class Templates:
    """How many of the distinct `texts` have first three and last two words that recur, and which do most."""

    texts: int
    recurring: int
    commonest: tuple[tuple[str, int], ...]

    @property
    def share(self) -> float:
        """Recurring among all, in 0…1."""
        return self.recurring / self.texts if self.texts else 0.0


@dataclass(frozen=True)
class Identity:
    """How many texts of one language were long enough to tell, and the records that seem to be in another."""

    told: int
    others: Mapping[str, str]
    """Record's id → the language detected."""


@dataclass(frozen=True)
class Report:
    """All findings; mappings are by language.

    `tags` counts by row: every `group/tag` of the taxonomy (a parent with its leaves) and, for every group,
    `group: none` and `group: unlabelled`. Lengths, templates and identity count a text once for all its targets.
    """

    same: tuple[Same, ...]
    alike: tuple[Alike, ...]
    tags: Mapping[str, Mapping[str, int]]
    lengths: Mapping[str, Lengths]
    templates: Mapping[str, Templates]
    identity: Mapping[str, Identity]


def report(records: Sequence[Record], taxonomy: Taxonomy) -> Report:
    """Look through `records`; nothing is changed."""
    prepared = {record.id: record.prepared() for record in records}
    languages: dict[str, list[Record]] = defaultdict(list)
    for record in sorted(records, key=lambda record: record.lang or UNKNOWN):
        languages[record.lang or UNKNOWN].append(record)
    texts = {lang: _distinct(own, prepared) for lang, own in languages.items()}
    return Report(
        same=_same(records, prepared),
        alike=_alike(records, prepared),
        tags={lang: _tags(own, taxonomy) for lang, own in languages.items()},
        lengths={lang: _lengths(list(own.values())) for lang, own in texts.items()},
        templates={lang: _templates(own.values()) for lang, own in texts.items()},
        identity={lang: _identity(lang, own) for lang, own in texts.items() if lang != UNKNOWN},
    )


def skeleton(prepared: str) -> str | None:
    """Take the first three and last two words of a text, with digits and names masked; None if it has under six words.

    Texts made by filling slots share these however different the slots are.
    """
    words = _WORD.findall(_PLACEHOLDER.sub(" Name ", prepared))
    if len(words) < _SHORT:
        return None
    masked = [_masked(word, first=position == 0) for position, word in enumerate(words)]
    return " ".join([*masked[:3], "…", *masked[-2:]])


def _masked(word: str, *, first: bool) -> str:
    if any(character.isdigit() for character in word):
        return "0"
    named = word[0].isupper() and not word.isupper()
    return "Name" if named and (not first or word == "Name") else word.casefold()


def _distinct(records: Sequence[Record], prepared: Mapping[str, str]) -> dict[str, str]:
    """Id → prepared text of the first record of every text."""
    first = {record.text: record.id for record in reversed(records)}
    return {name: prepared[name] for name in reversed(first.values())}


def _tags(records: Sequence[Record], taxonomy: Taxonomy) -> dict[str, int]:
    rows: dict[str, int] = {}
    for group in taxonomy.groups:
        counts = Counter(path for record in records for path in record.closed(group.name))
        rows |= {f"{group.name}/{path}": counts[path] for path in group.paths}
        rows[f"{group.name}: none"] = sum(record.tags.get(group.name) == () for record in records)
        rows[f"{group.name}: unlabelled"] = sum(group.name not in record.tags for record in records)
    return rows


def _same(records: Sequence[Record], prepared: Mapping[str, str]) -> tuple[Same, ...]:
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[prepared[record.id]].append(record)
    return tuple(
        Same(tuple(record.id for record in group), all(_agree(group[0], record) for record in group[1:]))
        for group in groups.values()
        if len(group) > 1
    )


def _alike(records: Sequence[Record], prepared: Mapping[str, str]) -> tuple[Alike, ...]:
    """Pairs of different texts; one text towards several targets is no pair."""
    texts = {normal(prepared[record.id]): record for record in reversed(records)}
    owners = list(texts.values())
    found = []
    for pair in near(list(texts), ALIKE):
        first, second = sorted((owners[pair.first], owners[pair.second]), key=lambda record: record.id)
        if first.text != second.text:
            found.append(Alike((first.id, second.id), pair.similarity, _agree(first, second)))
    return tuple(found)


def _agree(first: Record, second: Record) -> bool:
    return all(set(paths) == set(second.tags[group]) for group, paths in first.tags.items() if group in second.tags)


def _lengths(texts: Sequence[str]) -> Lengths:
    words = [len(_WORD.findall(text)) for text in texts]
    return Lengths(min(words), median(words), max(words), sum(count < _SHORT for count in words) / len(words))


def _templates(texts: Iterable[str]) -> Templates:
    found = [bones for text in texts if (bones := skeleton(text))]
    recurring = [(bones, count) for bones, count in Counter(found).most_common() if count > 1]
    return Templates(len(found), sum(count for _, count in recurring), tuple(recurring[:5]))


def _identity(lang: str, texts: Mapping[str, str]) -> Identity:
    bare = {name: _PLACEHOLDER.sub(" ", text) for name, text in texts.items()}
    told = {name: detect(text) for name, text in bare.items() if sum(map(str.isalpha, text)) >= _LETTERS}
    return Identity(len(told), {name: found for name, found in told.items() if found != lang})
