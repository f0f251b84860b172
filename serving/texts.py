"""Texts that come by another tool's protocol, without ids or watchlist, and are tagged as any mention is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from model.mention import MAX_CHARACTERS, Mention
from model.tagger import Failed, Tagged
from serving.admission import Caller, KeyRoute
from serving.body import JsonRoute
from serving.keys import Scope
from serving.service import Service

Text = Annotated[str, Field(max_length=MAX_CHARACTERS)]
TimeoutMs = Annotated[
    Annotated[int, Field(ge=1, le=600_000)] | SkipJsonSchema[None],
    Header(alias="X-Request-Timeout-Ms", description="Milliseconds to answer in, else 504."),
]


class Spoken(BaseModel):
    """Base of what tools send in a protocol that is not ours: fields that say nothing to Tympan are dropped."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class TextsRoute(KeyRoute, JsonRoute):
    """A route that takes texts."""

    scope = Scope.TAG


class TextsModelRoute(KeyRoute):
    """A route that tells what takes them."""

    scope = Scope.TAG


async def tagged(
    texts: Sequence[str], service: Service, caller: Caller, timeout_ms: int | None
) -> list[Tagged | Failed]:
    """One result per text, in order, by the same line and limits as mentions: those of `Line.tag` and 413."""
    service.settings.check_count("inputs", len(texts))
    caller.count(len(texts))
    return await service.line.tag(
        [Mention(str(place), text) for place, text in enumerate(texts)],
        caller=caller.name,
        seconds=(timeout_ms or service.settings.timeout_ms) / 1000,
    )
