"""The rules that say how pressing mentions are: a file, read strictly, and made for the tag set of a model.

`serving/priorities/listening.toml` ships with Tympan and is written to be copied; docs/priorities.md has the form.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import TaxonomyError
from model.taxonomy import Taxonomy
from serving.entries import Outcome, OwnerEntry, RuleEntry, read
from serving.errors import PrioritiesError
from serving.priority import Priorities, Rule

SHIPPED = Path(__file__).parent / "priorities" / "listening.toml"


@dataclass(frozen=True)
class Rules:
    """A file of rules that is right in itself; `source` is the file's name, for errors."""

    source: str
    taxonomy: str
    """The name of the tag set that it is written for."""
    default: Outcome
    entries: tuple[RuleEntry, ...]
    owners: Mapping[str, OwnerEntry]

    @classmethod
    def load(cls, path: Path) -> Rules:
        """Read a file; PrioritiesError names what is at fault in it, by rule, field and value."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PrioritiesError(str(path), "cannot be read as UTF-8 text", "Give a file of rules in TOML") from error
        return cls.parse(text, source=path.name)

    @classmethod
    def parse(cls, text: str, *, source: str = "rules") -> Rules:
        """Read TOML text, with the errors of `load`."""
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise PrioritiesError(source, f"is not TOML: {error}", "Mend that line") from error
        file = read(data, source)
        rules = cls(source, file.taxonomy, file.default, tuple(file.rule), file.owners)
        rules._check_owners()
        rules._check_rules()
        return rules

    def on(self, taxonomy: Taxonomy) -> Priorities:
        """Made for a tag set; PrioritiesError if it is another one, lacks a tag, or a rule can never count."""
        if taxonomy.name != self.taxonomy:
            problem = f"is {self.taxonomy!r}, and the model's tag set is {taxonomy.name!r}"
            raise PrioritiesError(f"{self.source}: taxonomy", problem, "Give rules that are written for that one")
        return self._made(taxonomy)

    def fitting(self, taxonomy: Taxonomy) -> Priorities | None:
        """Made for a tag set of whatever name that has all tags of the file; None if it lacks one."""
        try:
            for _, reference in self._references():
                _resolved(taxonomy, reference)
        except TaxonomyError:
            return None
        return self._made(taxonomy)

    def _made(self, taxonomy: Taxonomy) -> Priorities:
        present = {}
        for where, reference in self._references():
            try:
                present[reference] = _resolved(taxonomy, reference)
            except TaxonomyError as error:
                remedy = _similar(reference, taxonomy)
                raise PrioritiesError(where, f"{reference!r} is no tag of {taxonomy.id}", remedy) from error
        rules = [_rule(entry, present.__getitem__) for entry in self.entries]
        self._check_reach(rules)
        owners = {present[tag]: name for name, owner in self.owners.items() for tag in owner.tags}
        return Priorities(rules, default=Rule("default", **dict(self.default)), owners=owners)

    def _references(self) -> Iterator[tuple[str, str]]:
        """Every reference to a tag, with where it stands."""
        for entry in self.entries:
            for field in ("all", "any", "none"):
                yield from ((self._at(entry.name, field), tag) for tag in getattr(entry, field))
        for name, owner in self.owners.items():
            yield from ((f"{self.source}: owners.{name}: tags", tag) for tag in owner.tags)

    def _check_owners(self) -> None:
        taken: dict[str, str] = {}
        for name, owner in self.owners.items():
            for tag in owner.tags:
                if tag in taken:
                    where = f"{self.source}: owners.{name}: tags"
                    raise PrioritiesError(where, f"{tag!r} belongs to {taken[tag]} already", "Keep it in one place")
                taken[tag] = name
        outcomes = [(f"{self.source}: default: owner", self.default)]
        outcomes += [(self._at(entry.name, "owner"), entry) for entry in self.entries]
        for where, outcome in outcomes:
            if outcome.owner is not None and outcome.owner not in self.owners:
                legal = ", ".join(self.owners) or "none yet"
                problem = f"{outcome.owner!r} is no department"
                raise PrioritiesError(where, problem, f"Add [owners.{outcome.owner}], or write one of: {legal}")

    def _check_rules(self) -> None:
        seen: set[str] = set()
        for entry in self.entries:
            if entry.name in seen:
                raise PrioritiesError(self._at(entry.name, "name"), "is given twice", "Give each rule its own")
            seen.add(entry.name)
            if not entry.conditional:
                raise PrioritiesError(self._at(entry.name), "has no condition", "Add one, or write it as [default]")
            if entry.min_score and not (entry.all or entry.any):
                remedy = "Say with `all` or `any` whose score it is"
                raise PrioritiesError(self._at(entry.name, "min_score"), "is of no tag", remedy)

    def _check_reach(self, rules: Sequence[Rule]) -> None:
        for place, rule in enumerate(rules):
            if rule.impossible:
                raise PrioritiesError(self._at(rule.name, "none"), "rules out what the rule asks for", "Remove one")
            for earlier in rules[:place]:
                if earlier.hides(rule):
                    problem = f"never counts: rule {earlier.name!r}, above it, fits wherever it does"
                    raise PrioritiesError(self._at(rule.name), problem, "Move it up, or remove it")

    def _at(self, rule: str, field: str = "") -> str:
        return f"{self.source}: rule {rule!r}" + (f": {field}" if field else "")


def priorities_for(taxonomy: Taxonomy, rules: Rules | None) -> Priorities | None:
    """Those of `rules`, or without any those that ship; None if the tag set lacks tags that the shipped rules name.

    PrioritiesError if `rules` are not for that tag set.
    """
    return rules.on(taxonomy) if rules else Rules.load(SHIPPED).fitting(taxonomy)


def told(priorities: Priorities | None, rules: Rules | None) -> str:
    """By which rules mentions get priorities, in one line for whoever starts a program."""
    if rules:
        return f"Priorities by the rules of {rules.source}"
    if priorities:
        return "Priorities by the rules that ship"
    return "No priorities: the rules that ship are for other tags. Name a file for these with TYMPAN_PRIORITIES"


def _rule(entry: RuleEntry, present: Callable[[str], str]) -> Rule:
    """An entry with the present names of its tags."""
    fields: dict[str, Any] = {name: frozenset(map(present, getattr(entry, name))) for name in ("all", "any", "none")}
    fields |= {name: frozenset(getattr(entry, name)) for name in ("towards", "answered")}
    return Rule(entry.name, entry.level, entry.reason, entry.owner, min_score=entry.min_score, **fields)


def _resolved(taxonomy: Taxonomy, reference: str) -> str:
    """A reference by its present name; TaxonomyError if the tag set has no such group or tag."""
    name, _, path = reference.partition("/")
    group = taxonomy.group(name)
    return f"{name}/{group.current(path)}" if path else name


def _similar(reference: str, taxonomy: Taxonomy) -> str:
    known = [*(group.name for group in taxonomy.groups), *taxonomy.labels]
    meant = [label for label in known if label.endswith(f"/{reference}")]
    meant = meant or difflib.get_close_matches(reference, known, n=1)
    return f"Did you mean {' or '.join(meant)}?" if meant else f"Legal: {', '.join(known)}"
