"""The shapes of requests and answers, which are also the documentation at /docs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from model.decode import Score
from model.mention import MAX_CHARACTERS, Mention
from model.tagger import Tagged, Tags
from model.taxonomy import Kind, Taxonomy
from model.watchlist import Role
from serving.priority import Level, Priority

MAX_ORGANISATIONS = 50
MAX_ALIASES = 50


def _iso_8601(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("is no ISO 8601 date, or date and time") from None
    return value


def _encodable(value: str) -> str:
    """Refuse the lone surrogates that JSON can hold and an answer cannot; a mention's text may have them."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("is no Unicode text: it holds a lone surrogate") from None
    return value


Id = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_encodable)]
Name = Annotated[str, Field(max_length=200, pattern="[^@# ]"), AfterValidator(_encodable)]
Moment = Annotated[
    str,
    AfterValidator(_iso_8601),
    WithJsonSchema({"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]}),
]


class Asked(BaseModel):
    """Base of what callers send: an unknown field is refused, since a misspelt one would be ignored unseen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Told(BaseModel):
    """Base of what callers get."""

    model_config = ConfigDict(frozen=True)


class MentionItem(Asked):
    """One public text: a post, comment, review or direct message."""

    id: Id = Field(description="The caller's own name for it, unique in the call.")
    text: str = Field(description=f"The text as it was written, at most {MAX_CHARACTERS:,} characters.")
    lang: Annotated[str, AfterValidator(_encodable)] | None = Field(
        None, max_length=35, description="ISO 639-1 code; detected when absent.", examples=["fr"]
    )
    target: Annotated[str, AfterValidator(_encodable)] | None = Field(
        None,
        max_length=200,
        description="The organisation that the tags are towards, by a name or alias of the watchlist; "
        "without a watchlist, any name that occurs in the text.",
    )
    created_at: Moment | None = Field(
        None, description="When it was written, in ISO 8601.", examples=["2026-03-02T08:15:00Z", "2026-03-02"]
    )
    answered: bool | None = Field(None, description="Whether somebody has replied to it; a priority may depend on it.")

    def to_mention(self) -> Mention:
        """As the tagger takes it; an empty language is one to detect, an empty target none."""
        return Mention(
            id=self.id,
            text=self.text,
            lang=self.lang or None,
            created_at=self.created_at,
            target=self.target or None,
            answered=self.answered,
        )


class OrganisationItem(Asked):
    """An organisation to listen for."""

    name: Name = Field(description="Its name, searched for in any case and accents.")
    role: Role = Field("brand", description="What it is to the listener.")
    aliases: list[Name] = Field(
        [], max_length=MAX_ALIASES, description="Its other names and handles.", examples=[["freebox", "@free"]]
    )


class TagRequest(Asked):
    """Mentions to tag, all read with one watchlist."""

    mentions: list[MentionItem] = Field(description="The mentions; a call's limits are in the route's description.")
    watchlist: list[OrganisationItem] = Field(
        [],
        max_length=MAX_ORGANISATIONS,
        description="Organisations to tell apart, each once. Tags are towards a mention's `target`, or the only brand.",
    )
    min_score: float = Field(
        0.0, ge=0.0, le=1.0, allow_inf_nan=False, description="A floor added to the tags' own thresholds."
    )


class TagScore(Told):
    """A tag and how likely it is."""

    tag: str = Field(description="The tag's path, such as `service/outage`.")
    score: float = Field(ge=0.0, le=1.0, description="A calibrated probability.")


TagsByGroup = dict[str, list[TagScore]]


class TargetItem(Told):
    """The tags towards one organisation that the text names."""

    name: str
    role: Role
    tags: TagsByGroup


class TaggedItem(Told):
    """A mention that was tagged. An empty list of tags means that none applies."""

    id: str
    lang: str = Field(description="The language given or detected; `und` if it cannot be told.")
    tags: TagsByGroup = Field(description="Group → its tags, the likeliest first and a parent before its children.")
    targets: list[TargetItem] = Field(description="One entry for each organisation of the watchlist that is named.")
    priority: Level | None = Field(
        description="By the rules of the service, the most pressing of `tags` and `targets`; null without rules."
    )
    priority_reason: str | None = Field(
        description="Why, in one line, in the mention's language or English; with the organisation that it is about."
    )
    owner: str | None = Field(description="The department that it belongs to, by its name in the rules.")

    @classmethod
    def of(cls, tagged: Tagged, priority: Priority | None) -> TaggedItem:
        targets = [
            TargetItem(name=target.name, role=_role(target.role), tags=_tags(target.tags)) for target in tagged.targets
        ]
        return cls(
            id=tagged.id,
            lang=tagged.lang,
            tags=_tags(tagged.tags),
            targets=targets,
            priority=priority.level if priority else None,
            priority_reason=priority.reason if priority else None,
            owner=priority.owner if priority else None,
        )


ErrorCode = Literal["text_empty", "text_too_long", "duplicate_id", "unknown_target", "not_computed"]


class ItemError(Told):
    """Why one mention was not tagged."""

    code: ErrorCode
    title: str
    detail: str = Field(description="What is wrong and what to do.")
    pointer: str = Field(description="Where it is in the request.", examples=["#/mentions/3/text"])


class FailedItem(Told):
    """A mention that was not tagged; the others of the call were."""

    id: str
    error: ItemError


class TagAnswer(Told):
    """One result for every mention, in the order of the request."""

    model: str = Field(description="The version of the model that answered.", examples=["listening-3f1c0a9b7d2e"])
    taxonomy: str = Field(description="The tag set, `name@version`.", examples=["listening@1.0"])
    results: list[TaggedItem | FailedItem]


class TagEntry(Told):
    """A tag, for people: its texts are by language code."""

    path: str
    title: dict[str, str]
    description: dict[str, str]
    former: list[str] = Field(description="Names that older records may use.")


class GroupEntry(Told):
    """Tags decided together: any number (`multi-label`), or one at most (`exclusive`)."""

    name: str
    kind: Kind
    title: dict[str, str]
    description: dict[str, str]
    tags: list[TagEntry]


class TaxonomyAnswer(Told):
    """The tag set of the model that is served."""

    id: str = Field(examples=["listening@1.0"])
    name: str
    version: str
    groups: list[GroupEntry]

    @classmethod
    def of(cls, taxonomy: Taxonomy) -> TaxonomyAnswer:
        return cls.model_validate({"id": taxonomy.id, **taxonomy.to_dict()})


class ModelAnswer(Told):
    """The model that is served: what it was measured to do, and what it was made from."""

    model: str
    taxonomy: str
    languages: list[str] = Field(description="The languages that it was trained for.")
    max_length: int = Field(description="Tokens read at once; a longer text is read in windows.")
    thresholds: dict[str, float] = Field(description="`group/path` → the least score with which the tag is given.")
    metrics: dict[str, Any]
    provenance: dict[str, Any]


class StatusAnswer(Told):
    """Whether the service lives, or is ready."""

    status: Literal["ok", "ready"]


def _tags(tags: Tags) -> TagsByGroup:
    return {group: [_score(score) for score in scores] for group, scores in tags.items()}


def _score(score: Score) -> TagScore:
    return TagScore.model_validate(score.to_dict())


def _role(role: str) -> Role:
    return role  # type: ignore[return-value]  # the tagger took it from an Organisation, which has checked it
