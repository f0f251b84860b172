"""What came of a file, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from model.tagger import Tagged
from serving.priority import Priority

_REASONS = 100
"""Reasons that are told apart: some name a number, so that every row may have one of its own."""
_OTHER = "other reasons"


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

    levels: Counter[str] = field(default_factory=Counter)
    """Level of priority → rows that have it."""
    targets: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Role and name of an organisation → rows that name it."""

    def count(self, result: Tagged | str, priority: Priority | None = None) -> None:
        """Add a row's result: its tags and how pressing it is, or why it has none."""
        self.rows += 1
        if isinstance(result, str):
            self.failed += 1
            self.reasons[result if result in self.reasons or len(self.reasons) < _REASONS else _OTHER] += 1
            return
        if priority:
            self.levels[priority.level] += 1
        self.targets.update((target.role, target.name) for target in result.targets)
        self.languages[result.lang] += 1
        for group, scores in result.tags.items():
            self.tags.setdefault(group, Counter()).update(score.tag for score in scores)
            self.untagged[group] += not scores
