"""The corrections of a call, each read by itself: what it says, or why it cannot be kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from labels.errors import CorrectionError
from labels.feedback.correction import Correction, storable
from labels.feedback.mention import TaggedMention, plain_language
from model.errors import TaxonomyError, WatchlistError
from model.mention import MAX_CHARACTERS, prepare
from model.taxonomy import Taxonomy
from model.watchlist import Watchlist, considered
from serving.feedback.schemas import CorrectedMention, CorrectionItem, FeedbackCode, FeedbackItemError

TITLES: dict[FeedbackCode, str] = {
    "text_empty": "The text is empty",
    "text_too_long": "The text is too long",
    "unknown_mention": "The mention is not known",
    "watchlist_unusable": "The watchlist cannot be used",
    "unknown_target": "The target is not in the watchlist",
    "unknown_group": "The group is not in the tag set",
    "unknown_tag": "A tag is not in the tag set",
    "too_many_tags": "The group takes one tag",
    "no_verdict": "It says nothing, or two things",
    "time_unreadable": "The time cannot be read",
    "time_to_come": "The time is to come",
    "conflict": "The id is that of another correction",
}
_SKEW = timedelta(minutes=5)  # by which a caller's clock may be fast


class RefusedError(Exception):
    """One correction cannot be kept. `field` is where the cause is in its item."""

    def __init__(self, code: FeedbackCode, field: str, detail: str) -> None:
        super().__init__(code, field, detail)
        self.code, self.field, self.detail = code, field, detail

    def at(self, place: int) -> FeedbackItemError:
        """As the caller is told, for the item at that place in the request."""
        pointer = f"#/corrections/{place}/{self.field}"
        return FeedbackItemError(code=self.code, title=TITLES[self.code], detail=self.detail, pointer=pointer)


def read(item: CorrectionItem, known: Mapping[str, TaggedMention], taxonomy: Taxonomy, now: datetime) -> Correction:
    """The correction that an item is, its tags as they were given. `known`: id → mention tagged lately.

    RefusedError says why it cannot be kept.
    """
    mention = _mention(item.mention, known)
    try:
        correction = Correction(
            id=item.id or "",
            mention=mention.id,
            text=mention.text,
            lang=mention.lang,
            target=mention.target,
            watchlist=mention.watchlist,
            group=item.group,
            tags=None if item.tags is None else tuple(item.tags),
            wrong=None if item.wrong is None else tuple(item.wrong),
            who=item.who,
            at=_moment(item.at, now),
            model=mention.model,
        )
    except CorrectionError as error:
        raise RefusedError("no_verdict", "tags", str(error)) from error
    _check(correction, taxonomy)
    return correction


def conflict(correction: Correction) -> RefusedError:
    """Why a correction is not kept whose id is taken."""
    return RefusedError("conflict", "id", f"id: {correction.id!r} was given to another one. Give each its own")


def _check(correction: Correction, taxonomy: Taxonomy) -> None:
    """RefusedError unless group and tags are the taxonomy's, by present or former names."""
    field = "tags" if correction.wrong is None else "wrong"
    try:
        correction.current(taxonomy)
    except CorrectionError as error:
        raise RefusedError("too_many_tags", field, str(error)) from error
    except TaxonomyError as error:
        if any(group.name == correction.group for group in taxonomy.groups):
            raise RefusedError("unknown_tag", field, str(error)) from error
        raise RefusedError("unknown_group", "group", str(error)) from error


def _mention(asked: CorrectedMention, known: Mapping[str, TaggedMention]) -> TaggedMention:
    """What is corrected, under the names of its watchlist."""
    seen = known.get(asked.id) if asked.text is None else TaggedMention(id=asked.id, text=storable(asked.text))
    if seen is None:
        raise RefusedError("unknown_mention", "mention/text", "mention: was not tagged lately. Send its text")
    if not prepare(seen.text):
        raise RefusedError("text_empty", "mention/text", "text: is empty. Send what was written")
    if len(seen.text) > MAX_CHARACTERS:
        problem = f"text: has {len(seen.text):,} characters. Send at most {MAX_CHARACTERS:,}"
        raise RefusedError("text_too_long", "mention/text", problem)
    try:
        watchlist = Watchlist(seen.watchlist)
        if asked.watchlist is not None:
            watchlist = Watchlist.from_dicts(organisation.model_dump() for organisation in asked.watchlist)
        watchlist, target = considered(watchlist, asked.target or seen.target)
    except WatchlistError as error:
        towards = error.where == "target"
        code: FeedbackCode = "unknown_target" if towards else "watchlist_unusable"
        raise RefusedError(code, f"mention/{'target' if towards else 'watchlist'}", str(error)) from error
    return TaggedMention(
        id=asked.id,
        text=seen.text,
        lang=plain_language(asked.lang or seen.lang),
        target=target,
        watchlist=watchlist.organisations,
        model=seen.model,
    )


def _moment(given: str | None, now: datetime) -> datetime:
    if given is None:
        return now
    try:
        found = datetime.fromisoformat(given)
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        problem = "at: is no ISO 8601 date, or date and time. Write it as 2026-03-02T08:15:00Z"
        raise RefusedError("time_unreadable", "at", problem) from error
    if found > now + _SKEW:
        problem = f"at: is to come: here it is {now:%Y-%m-%dT%H:%M:%SZ}. See to the clock"
        raise RefusedError("time_to_come", "at", problem)
    return found
