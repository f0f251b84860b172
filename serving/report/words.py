"""The words of texts, and those that mark one bucket of texts against all others."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache

from labels.extra import library
from serving.report.facts import Word
from serving.report.heavy import Heavy

_WORD = re.compile(r"https?://\S+|www\.\S+|[@#]?\w+")
_STOP = 200
"""The most frequent words of a language that say nothing of a bucket."""
_COMMON = 0.25
"""Words in a larger share of a language's texts say nothing either: often the organisation's name."""
_PRIOR = 500.0
"""Words that the prior weighs, as Monroe et al. advise: some, against buckets of thousands."""
_LEAST_PRIOR = 0.5
"""Pseudo-count of a word, at least: with less, one that no other bucket has would be too unsure to be shown."""
_SURE = 2.6
"""Standard deviations from which a word marks a bucket: one in a hundred would by chance."""
_LEAST = 3
"""Texts that a word must be in."""
_SHOWN = 12
_BUCKET, _ALL = 2_000, 50_000
"""Words with room in the counts of a bucket, and of the whole file."""


def encodable(text: str) -> str:
    """`text` with question marks for halves of characters, which JSON may hold and no file can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def words_of(text: str) -> list[str]:
    """The words, hashtags and numbers of a text in their order, in lower case; links and names of users are none."""
    found = _WORD.findall(text.lower())
    return [word for word in found if len(word) > 1 and word[0] != "@" and word[:4] not in ("http", "www.")]


@cache
def stop_words(language: str) -> frozenset[str]:
    """The most frequent words of a language; none if it is not known."""
    wordfreq = library("wordfreq", extra="report")
    try:
        return frozenset(wordfreq.top_n_list(language, _STOP))
    except LookupError:
        return frozenset()


class Words:
    """In how many texts each word is, by bucket; a word is kept with its language, so that none marks by language."""

    def __init__(self) -> None:
        self._all: Heavy[str] = Heavy(_ALL)
        self._texts: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()
        self._buckets: dict[str, Heavy[str]] = {}
        self._bucket_totals: dict[str, Counter[str]] = {}

    def add(self, words: Iterable[str], language: str, buckets: Iterable[str]) -> None:
        """Count the distinct words of a text in its buckets."""
        keys = [f"{language} {word}" for word in set(words)]
        self._all.see(keys)
        self._texts[language] += 1
        self._totals[language] += len(keys)
        for bucket in buckets:
            if bucket not in self._buckets:
                self._buckets[bucket], self._bucket_totals[bucket] = Heavy(_BUCKET), Counter()
            self._buckets[bucket].see(keys)
            self._bucket_totals[bucket][language] += len(keys)

    def marking(self) -> dict[str, list[Word]]:
        """Bucket → the words that mark it, the surest first."""
        return {bucket: self._marking(bucket) for bucket in self._buckets}

    def _marking(self, bucket: str) -> list[Word]:
        """By the log-odds ratio with an informative Dirichlet prior, within each language.

        Source: Monroe, Colaresi and Quinn, "Fightin' words", Political Analysis 16(4), 2008, equations 16, 20 and 22;
        the prior is the whole file's distribution of words.
        """
        found = []
        for key, count in self._buckets[bucket].items():
            language, _, word = key.partition(" ")
            if count < _LEAST or word.isdecimal() or self._says_nothing(word, language, max(self._all[key], count)):
                continue
            inside = self._bucket_totals[bucket][language]
            outside = self._totals[language] - inside
            everywhere = self._all[key] + self._all.error  # at most: what was taken off may all have been elsewhere
            sureness = log_odds(count, inside, min(max(everywhere - count, 0), outside), outside)
            if sureness >= _SURE:
                found.append(Word(text=word, language=language, rows=count, sureness=round(sureness, 2)))
        return sorted(found, key=lambda word: (-word.sureness, word.text))[:_SHOWN]

    def _says_nothing(self, word: str, language: str, texts: int) -> bool:
        return texts > _COMMON * self._texts[language] or word in stop_words(language)


def log_odds(count: int, total: int, other: int, other_total: int) -> float:
    """How much likelier a word is here (`count` of `total`) than there, in standard deviations."""
    if count + other == total + other_total:  # there is but this word
        return 0.0
    prior = max(_PRIOR * (count + other) / (total + other_total), _LEAST_PRIOR)
    here, there = count + prior, other + prior
    ratio = math.log(here / (total + _PRIOR - here)) - math.log(there / (other_total + _PRIOR - there))
    return ratio / math.sqrt(1 / here + 1 / there)
