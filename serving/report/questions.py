"""The questions that people ask: found in texts, and those that are nearly the same put together."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from serving.report.facts import Question, QuestionTopic
from serving.report.heavy import Heavy
from serving.report.words import stop_words, words_of

_ROOM = 4_000
"""Distinct questions that are held, at most twice as many."""
_SHOWN = 6
_COMPARED = 400
"""Distinct questions of a topic, the most frequent, that are put together."""
_ALIKE = 0.5
"""Of the words that either of two questions has, the share that both have, from which they are put together."""
_SENTENCE = re.compile(r"[^.!?\n…]*[.!?\n…]+|[^.!?\n…]+$")
_LONGEST = 200

_Key = tuple[str, str, str]
"""Topic, language, and the words that count, sorted."""


class Questions:
    """The questions of the rows given, by topic. `starts`: language → what a question without its mark starts with."""

    def __init__(self, starts: Mapping[str, Sequence[str]]) -> None:
        self._starts = {language: tuple(f"{start} " for start in found) for language, found in starts.items()}
        self._counts: Heavy[_Key] = Heavy(_ROOM)
        self._wordings: dict[_Key, str] = {}
        self.topics: Counter[str] = Counter()

    def add(self, text: str, language: str, topics: Sequence[str]) -> bool:
        """Look for the first question in a text; whether there is one. `topics` is empty if it is of none."""
        found = self._question(text, language)
        if not found:
            return False
        words = _key_words(found, language)
        keys = [(topic, language, words) for topic in topics or ("",)]
        self.topics.update(topics or ("",))
        self._counts.see(keys)
        for key in keys:
            self._wordings.setdefault(key, found)
        if len(self._wordings) > 3 * _ROOM:
            self._wordings = {key: self._wordings[key] for key in self._counts}
        return True

    def _question(self, text: str, language: str) -> str:
        starts = self._starts.get(language, ())
        for sentence in _SENTENCE.findall(text):
            plain = sentence.strip().replace("’", "'")
            if plain.endswith("?") or plain.lower().startswith(starts):
                said = " ".join(word for word in sentence.split() if not word.startswith(("http", "www.")))
                if len(said.split()) >= 2 and len(said) <= _LONGEST:
                    return said
        return ""

    def grouped(self) -> list[QuestionTopic]:
        """By topic, the most frequent first, each with its most frequent questions."""
        by_topic: defaultdict[str, list[tuple[_Key, int]]] = defaultdict(list)
        for key, count in self._counts.most_common():
            by_topic[key[0]].append((key, count))
        return [
            QuestionTopic(path=topic, rows=rows, questions=self._together(by_topic[topic][:_COMPARED]))
            for topic, rows in self.topics.most_common()
        ]

    def _together(self, counted: Sequence[tuple[_Key, int]]) -> list[Question]:
        """Each question joins the first more frequent one that shares enough words with it (Jaccard's index)."""
        heads: list[tuple[_Key, frozenset[str]]] = []
        rows: Counter[_Key] = Counter()
        for key, count in counted:
            words = frozenset(key[2].split())
            alike = (head for head, other in heads if head[1] == key[1] and _shared(words, other) >= _ALIKE)
            head = next(alike, None)
            if head is None:
                heads.append((key, words))
            rows[head or key] += count
        return [
            Question(text=self._wordings[key], language=key[1], rows=count) for key, count in rows.most_common(_SHOWN)
        ]


def _key_words(question: str, language: str) -> str:
    """The words that count, sorted; of a question of the most frequent words alone all, as if they were one word.

    So that one is put together with none but those of the same words: half of `what is it` says nothing.
    """
    words = set(words_of(question))
    return " ".join(sorted(words - stop_words(language))) or "+".join(sorted(words))


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard's index: what both have, of what either has."""
    both = len(one & other)
    return both / (len(one) + len(other) - both or 1)
