"""The shapes of corrections and of what becomes of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from model.mention import MAX_CHARACTERS
from serving.schemas import MAX_ORGANISATIONS, Asked, OrganisationItem, Told

_PLAIN = r"^[^\x00]*$"  # NUL is the one character that PostgreSQL does not take
PlainId = Annotated[str, Field(min_length=1, max_length=200, pattern=_PLAIN)]
Path = Annotated[str, Field(max_length=200)]

FeedbackCode = Literal[
    "text_empty",
    "text_too_long",
    "unknown_mention",
    "watchlist_unusable",
    "unknown_target",
    "unknown_group",
    "unknown_tag",
    "too_many_tags",
    "no_verdict",
    "time_unreadable",
    "time_to_come",
    "conflict",
]


class CorrectedMention(Asked):
    """The mention that is corrected: by its id alone, if it was tagged lately, or with its text."""

    id: PlainId = Field(description="The caller's own name for it, the same as when it was tagged.")
    text: str | None = Field(
        None, description=f"The text, at most {MAX_CHARACTERS:,} characters; that which was tagged lately if absent."
    )
    lang: str | None = Field(None, max_length=35, description="ISO 639-1 code.", examples=["fr"])
    target: Annotated[str, Field(max_length=200, pattern=_PLAIN)] | None = Field(
        None, description="The organisation that the tags are towards, as in `POST /v1/tag`."
    )
    watchlist: list[OrganisationItem] | None = Field(
        None, max_length=MAX_ORGANISATIONS, description="The organisations that it was read with."
    )


class CorrectionItem(Asked):
    """What one person says of one group of tags of a mention: `tags` or `wrong`, one of them."""

    id: PlainId | None = Field(
        None,
        description="The caller's own name for the correction: sent again, it changes nothing. Made of what is said "
        "if absent, so that the same word of the same person counts once.",
    )
    mention: CorrectedMention
    group: Path = Field(description="The group of tags, of `GET /v1/taxonomy`.", examples=["topic"])
    tags: list[Path] | None = Field(None, description="All the tags of the group that are right; `[]` if none is.")
    wrong: list[Path] | None = Field(None, description="Tags that are wrong, if it is not known which are right.")
    who: PlainId = Field(description="Who says so: the newest word of each person counts.", examples=["ann"])
    at: str | None = Field(
        None,
        max_length=40,
        description="When it was said, in ISO 8601, UTC if it names no zone; now if absent.",
        examples=["2026-03-02T08:15:00Z"],
    )


class FeedbackRequest(Asked):
    """Corrections, each by itself."""

    corrections: list[CorrectionItem] = Field(description="At most as many as mentions in one call.")


class StoredItem(Told):
    """A correction that is kept, on disk: since now, or since it came before."""

    id: str = Field(description="The correction's.")
    status: Literal["stored", "known"]


class FeedbackItemError(Told):
    """Why one correction was not kept."""

    code: FeedbackCode
    title: str
    detail: str = Field(description="What is wrong and what to do.")
    pointer: str = Field(description="Where it is in the request.", examples=["#/corrections/3/tags"])


class RefusedItem(Told):
    """A correction that was not kept; the others of the call were."""

    id: str | None = Field(description="The correction's; null if it was given none.")
    error: FeedbackItemError


class FeedbackAnswer(Told):
    """One result for every correction, in the order of the request."""

    results: list[StoredItem | RefusedItem]


REQUESTS: dict[str, Any] = {
    "text": {
        "summary": "With the text",
        "value": {
            "corrections": [
                {
                    "id": "c-1041",
                    "mention": {"id": "m1", "text": "La box est encore en panne.", "lang": "fr"},
                    "group": "topic",
                    "tags": ["service/outage"],
                    "who": "ann",
                    "at": "2026-03-02T08:15:00Z",
                }
            ]
        },
    },
    "id": {
        "summary": "By the id of a mention that was tagged lately",
        "value": {
            "corrections": [{"mention": {"id": "m1"}, "group": "intent", "wrong": ["purchase"], "who": "ben"}],
        },
    },
}
ANSWERS: dict[str, Any] = {
    "mixed": {
        "summary": "One kept, one refused",
        "value": {
            "results": [
                {"id": "c-1041", "status": "stored"},
                {
                    "id": None,
                    "error": {
                        "code": "unknown_mention",
                        "title": "The mention is not known",
                        "detail": "mention: was not tagged lately. Send its text",
                        "pointer": "#/corrections/1/mention/text",
                    },
                },
            ]
        },
    },
}
