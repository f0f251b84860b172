"""What a report puts first: a TOML file that names the tags of one tag set, or a fallback that knows none.

`serving/reports/listening.toml` ships with Tympan and is written to be copied; docs/reports.md has the form.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from model.errors import TaxonomyError
from model.taxonomy import Taxonomy
from serving.report.errors import ReportError

SHIPPED = Path(__file__).parents[1] / "reports" / "listening.toml"
Titles = dict[str, str]
"""Language code → title."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ValueError("is no time zone, such as Europe/Paris") from error
    except KeyError as error:
        raise ValueError("is no time zone, such as Europe/Paris") from error
    return name


class _Part(BaseModel):
    """Base of what the file holds: a misspelt key would be ignored unseen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Headline(_Part):
    """A figure at the top: the mentions with a tag of `any`, and whether more of them is worse or better."""

    any: list[str] = Field(min_length=1)
    more: Literal["worse", "better"]
    title: Titles = Field(min_length=1)

    @property
    def name(self) -> str:
        """What its series is called, in this report and in others."""
        return "|".join(self.any)


class Obstacles(_Part):
    """The mentions with a tag of `any`, counted by the tags of the group `by`."""

    any: list[str] = Field(min_length=1)
    by: str


class Questions(_Part):
    """The questions in mentions with a tag of `any`, by the tags of the group `by`; `starts`: language → words."""

    any: list[str] = Field(min_length=1)
    by: str
    title: Titles = Field(min_length=1)
    starts: dict[str, list[str]] = {}


class Layout(_Part):
    """A whole file."""

    taxonomy: str
    lead: str
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    headline: list[Headline] = []
    obstacles: Obstacles | None = None
    questions: Questions | None = None

    @classmethod
    def load(cls, path: Path) -> Layout:
        """Read a file; ReportError names the key at fault in it."""
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ReportError(str(path), "cannot be read as UTF-8 text", "Give a report's layout in TOML") from error
        except tomllib.TOMLDecodeError as error:
            raise ReportError(path.name, f"is not TOML: {error}", "Mend that line") from error
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ReportError(f"{path.name}: {where}", first["msg"], "See docs/reports.md for its form") from error

    def on(self, taxonomy: Taxonomy) -> Layout:
        """With the present names of its tags; TaxonomyError if the tag set lacks one."""

        def mend(references: list[str]) -> list[str]:
            return [_resolved(taxonomy, reference) for reference in references]

        for group in self._groups():
            taxonomy.group(group)
        parts: dict[str, object] = {
            "headline": [line.model_copy(update={"any": mend(line.any)}) for line in self.headline]
        }
        for name in ("obstacles", "questions"):
            if part := getattr(self, name):
                parts[name] = part.model_copy(update={"any": mend(part.any)})
        return self.model_copy(update=parts)

    def _groups(self) -> Iterator[str]:
        yield self.lead
        yield from (part.by for part in (self.obstacles, self.questions) if part)


def layout_for(taxonomy: Taxonomy, path: Path | None = None) -> Layout:
    """The one in the file `path`, or without any the one that ships; a plain one if the tag set lacks tags of that.

    ReportError if the file is wrong, or is for another tag set.
    """
    if path is None:
        try:
            return Layout.load(SHIPPED).on(taxonomy)
        except TaxonomyError:
            return Layout(taxonomy=taxonomy.name, lead=taxonomy.groups[0].name)
    found = Layout.load(path)
    if found.taxonomy != taxonomy.name:
        problem = f"is {found.taxonomy!r}, and the model's tag set is {taxonomy.name!r}"
        raise ReportError(f"{path.name}: taxonomy", problem, "Give a layout that is written for that one")
    try:
        return found.on(taxonomy)
    except TaxonomyError as error:
        raise ReportError(path.name, error.problem, error.remedy) from error


def _resolved(taxonomy: Taxonomy, reference: str) -> str:
    name, _, path = reference.partition("/")
    group = taxonomy.group(name)
    return f"{name}/{group.current(path)}" if path else name
