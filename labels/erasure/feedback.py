"""Corrections, and mentions remembered for them, as a place."""

from __future__ import annotations

from collections.abc import Iterator

from labels.erasure.asked import Asked, form
from labels.erasure.place import Found
from labels.feedback.store import FeedbackStore

_ALL = 2**31 - 1  # mentions, of which the store gives the newest so many


class FeedbackPlace:
    """A store of corrections; `where` is what to call it, which must not be a URL with a password."""

    kind = "feedback"

    def __init__(self, store: FeedbackStore, where: str) -> None:
        self._store, self.where = store, where

    def look(self, asked: Asked) -> Found:
        return self._look(asked)[0]

    def erase(self, asked: Asked) -> Found:
        found, texts = self._look(asked)
        self._store.erase(mentions=asked.ids, texts=texts)
        if more := self._look(asked)[0].counts.total():
            found.left.append(f"{more:,} came meanwhile. Run it again")
        return found

    def _look(self, asked: Asked) -> tuple[Found, set[str]]:
        """What is there, and its texts as they are written."""
        found, written = Found(), set()
        for kind, name, text in self._rows():
            found.looked += 1
            if not asked.has(text, name):
                continue
            found.counts[kind] += 1
            written.add(text)
            if asked.has_id(name):
                found.texts.add(form(text))
        return found, written

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        """Of every row what it is, its mention's id and text."""
        for kept in self._store.after():
            yield "corrections", kept.correction.mention, kept.correction.text
        for mention in self._store.recent(_ALL):
            yield "remembered mentions", mention.id, mention.text
