"""The gate: whether a challenger may take the champion's place, by rules that a TOML file may change.

    confidence = 0.95     # of every comparison
    min_cases = 20        # of a tag in one language, from which it is held to be no worse
    max_ece = 0.05        # calibration error of every group, or what chance comes to with few test texts
    max_latency = 1.2     # times the champion's
    max_withdrawn = 0.25  # of a tag's known cases in one language, if min_cases or more, the share that new labels deny
    tags = ["*"]          # the tags that matter, as patterns of GROUP/TAG
    languages = ["*"]     # the languages that matter

What is left out has the value above. The gates of the export itself (`training/parity.py`) are passed before there is a
challenger at all.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from training.comparison import EVERY, Comparison, Difference
from training.errors import TrainingError
from training.withdrawal import Withdrawal

_MAY_BE_0 = ("max_withdrawn",)  # not one known label may be denied, of a tag with enough


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a challenger is held to; see the module."""

    confidence: float = 0.95
    min_cases: int = 20
    max_ece: float = 0.05
    max_latency: float = 1.2
    max_withdrawn: float = 0.25
    tags: tuple[str, ...] = ("*",)
    languages: tuple[str, ...] = ("*",)

    @classmethod
    def load(cls, path: Path | None) -> Rules:
        """Read a file of rules, or take those of the module without one; TrainingError names what is wrong."""
        if path is None:
            return cls()
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TrainingError(str(path), f"cannot be read: {_first_line(error)}", "Give a TOML file") from error
        return cls(**{name: _checked(path, name, value) for name, value in given.items()})

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def check(self, labels: Collection[str], languages: Collection[str]) -> None:
        """TrainingError for a pattern that is of no tag, or of no language, of a model: it would hold it to nothing."""
        for name, patterns, known in (("tags", self.tags, labels), ("languages", self.languages, languages)):
            for pattern in patterns:
                if pattern != "*" and not any(fnmatchcase(one, pattern) for one in known):
                    raise TrainingError(
                        f"rules: {name}", f"{pattern!r} is of none", f"Legal: {', '.join(sorted(known))}"
                    )

    def matters(self, found: Difference | Withdrawal) -> bool:
        """Whether the gate looks at its tag in its language."""
        named = any(fnmatchcase(f"{found.group}/{found.tag}", pattern) for pattern in self.tags)
        return named and (found.lang == EVERY or any(fnmatchcase(found.lang, one) for one in self.languages))


@dataclass(frozen=True)
class Finding:
    """One rule as it was applied: to what, the figure and its bound as people read them, and whether it holds."""

    rule: str
    where: str
    figure: str
    bound: str
    held: bool

    def __str__(self) -> str:
        return f"{self.rule}, {self.where}: {self.figure} ({self.bound})"


@dataclass(frozen=True)
class Verdict:
    """Every rule as it was applied; `passed` if all hold."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return all(finding.held for finding in self.findings)

    @property
    def reasons(self) -> list[str]:
        """What does not hold."""
        return [str(finding) for finding in self.findings if not finding.held]

    def to_dict(self) -> dict[str, Any]:
        return {"passed": self.passed, "findings": [asdict(finding) for finding in self.findings]}


def judge(
    comparison: Comparison,
    figures: Mapping[str, Any],
    latency: float,
    rules: Rules,
    withdrawn: Sequence[Withdrawal] = (),
) -> Verdict:
    """Hold a challenger to the rules.

    `figures` are those of `training.evaluate.figures` for it, `latency` its time for the same texts as a multiple of
    the champion's, and `withdrawn` what its labels deny of those that were known.
    """
    denied = [one for one in withdrawn if one.cases >= rules.min_cases and rules.matters(one)]
    return Verdict((*_findings(comparison, figures, latency, rules), *(_kept(one, rules) for one in denied)))


def _findings(comparison: Comparison, figures: Mapping[str, Any], latency: float, rules: Rules) -> Iterator[Finding]:
    for difference in comparison.groups:
        if difference.lang == EVERY:
            yield _no_worse(
                "macro-F1", f"{difference.group} in all languages{_most(difference, comparison)}", difference
            )
    held = [difference for difference in comparison.tags if rules.matters(difference)]
    for difference in held:
        language = "all languages" if difference.lang == EVERY else difference.lang
        where = f"{difference.group}/{difference.tag} in {language}, {difference.cases} cases"
        yield _no_worse("F1", where, difference)
    for name, group in figures["groups"].items():
        error, most = group["ece"], max(rules.max_ece, group["ece_by_chance"])
        yield Finding("calibration error", name, f"{error:.3f}", f"at most {most:.2g}", error <= most)
    bound = f"at most {rules.max_latency:g} times the champion's"
    yield Finding("latency", "the same texts", f"{latency:.2f} times", bound, latency <= rules.max_latency)


def _kept(found: Withdrawal, rules: Rules) -> Finding:
    where = f"{found.group}/{found.tag} in {found.lang}, {found.cases} known cases"
    figure, bound = f"new labels deny {found.denied}", f"at most {100 * rules.max_withdrawn:g} %"
    return Finding("withdrawn labels", where, figure, bound, found.share <= rules.max_withdrawn)


def _most(found: Difference, comparison: Comparison) -> str:
    """The tag and language of a group that is worse which fell most, among those of enough cases."""
    inside = [one for one in comparison.tags if one.group == found.group]
    if not found.worse or not inside:
        return ""
    worst = min(inside, key=lambda one: one.change)
    language = "all languages" if worst.lang == EVERY else worst.lang
    return f", most of all {worst.tag} in {language} ({100 * worst.change:+.1f} points)"


def _no_worse(rule: str, where: str, found: Difference) -> Finding:
    figure = f"{100 * found.before:.1f} → {100 * found.after:.1f}"
    bound = f"the change lies in {100 * found.low:+.1f} to {100 * found.high:+.1f} points"
    return Finding(rule, where, figure, bound, not found.worse)


def _checked(path: Path, name: str, value: object) -> Any:  # noqa: ANN401 — of the type of its field
    """A rule of the file as its field has it; TrainingError if there is none of that name or it makes no sense."""
    defaults = {field.name: field.default for field in fields(Rules)}
    if name not in defaults:
        raise TrainingError(f"{path}: {name}", "is no rule", f"Legal: {', '.join(defaults)}")
    default = defaults[name]
    if isinstance(default, tuple):
        if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
            raise TrainingError(f"{path}: {name}", "is no list of patterns", 'Write such as ["*"]')
        return tuple(value)
    kinds = int if isinstance(default, int) else (int, float)
    least = "at least" if name in _MAY_BE_0 else "above"
    right = isinstance(value, kinds) and not isinstance(value, bool)
    if not right or not _within(name, value):  # type: ignore[arg-type]  # a number then
        raise TrainingError(f"{path}: {name}", f"is {value!r}", f"Write a number {least} 0, such as {default}")
    return value


def _within(name: str, value: float) -> bool:
    return (value > 0 or (value == 0 and name in _MAY_BE_0)) and (value < 1 or name != "confidence")


def _first_line(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).split("\n")[0]
