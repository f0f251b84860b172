"""Examples of a bucket: its surest mentions, and some by chance, none nearly the same as another."""

from __future__ import annotations

from bisect import insort
from hashlib import blake2b

from serving.report.facts import Example
from serving.report.words import words_of

_EACH = 3
_HELD = 16
"""Texts of each kind that are held, since some of them are nearly the same."""
_LONGEST = 280
"""Characters of an example that are kept."""


def ticket(words: list[str], seed: int) -> int:
    """A number for a text, alike for texts of the same words: which texts have the lowest is a matter of chance."""
    salt = seed.to_bytes(8, "little")
    return int.from_bytes(blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=8, salt=salt).digest())


class Sample:
    """The surest texts of a bucket, and others of the lowest tickets: a sample of distinct texts in one pass.

    Source of the latter: Broder, "On the resemblance and containment of documents", 1997 (a sketch of minima).
    """

    def __init__(self) -> None:
        self._sure: list[tuple[float, int, Example]] = []
        self._drawn: list[tuple[int, Example]] = []

    def add(self, ticket: int, score: float | None, row: int, text: str, language: str) -> None:
        """Take a text into the sample if it belongs there; `score` is None if there is none to be sure of."""
        if score is not None and (len(self._sure) < _HELD or -score < self._sure[-1][0]):
            self._keep_sure(ticket, score, row, text, language)
        if len(self._drawn) < _HELD or ticket < self._drawn[-1][0]:
            self._keep_drawn(ticket, row, text, language)

    def _keep_sure(self, ticket: int, score: float, row: int, text: str, language: str) -> None:
        if all(ticket != other for _, other, _ in self._sure):
            example = Example(row=row, text=_cut(text), language=language, score=round(score, 4))
            insort(self._sure, (-score, ticket, example), key=lambda kept: kept[:2])
            del self._sure[_HELD:]

    def _keep_drawn(self, ticket: int, row: int, text: str, language: str) -> None:
        if all(ticket != other for other, _ in self._drawn):
            example = Example(row=row, text=_cut(text), language=language, score=None)
            insort(self._drawn, (ticket, example), key=lambda kept: kept[0])
            del self._drawn[_HELD:]

    def examples(self) -> list[Example]:
        """The surest first, then those by chance, each unlike those before it."""
        found: list[Example] = []
        for pool in ([example for _, _, example in self._sure], [example for _, example in self._drawn]):
            most = len(found) + _EACH
            for example in pool:
                if len(found) < most and _unlike(example, found):
                    found.append(example)
        return found


def _unlike(example: Example, others: list[Example]) -> bool:
    """Whether it shares less than half of the words with each of the others."""
    words = set(words_of(example.text))
    return all(2 * len(words & known) < len(words | known) for known in (set(words_of(o.text)) for o in others))


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"
