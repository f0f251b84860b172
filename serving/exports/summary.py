"""What came of a file, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from model.tagger import Tagged


@dataclass
class Summary:
    """What came of a file, counted as it goes."""

    rows: int = 0
    failed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    tags: dict[str, Counter[str]] = field(default_factory=dict)
    """Group → tag → rows that have it."""
    untagged: Counter[str] = field(default_factory=Counter)
    """Group → rows that have none of its tags."""

    def count(self, result: Tagged | str) -> None:
        """Add a row's result: its tags, or why it has none."""
        self.rows += 1
        if isinstance(result, str):
            self.failed += 1
            self.reasons[result] += 1
            return
        self.languages[result.lang] += 1
        for group, scores in result.tags.items():
            self.tags.setdefault(group, Counter()).update(score.tag for score in scores)
            self.untagged[group] += not scores
