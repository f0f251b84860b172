"""A mention, and the one preparation of its text that training and serving share."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from model.watchlist import OTHER, TARGET, Organisation, Watchlist

MAX_CHARACTERS = 20_000
"""The longest text that is tagged."""

_ENTITIES = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "#39": "'", "#039": "'", "nbsp": " "}
_ENTITY = re.compile(r"&(?:amp;)*(" + "|".join(map(re.escape, _ENTITIES)) + ");")
_AMPERSAND = re.compile(r"&(?:amp;)+")
_URL = re.compile(r"(?:https?://|www\.(?=\w))\S+", re.IGNORECASE)
_USER = re.compile(r"(?<![\w@])@\w+")
_HASHTAG = re.compile(r"(?<!&)#(\w+)")
_WORD_START = re.compile(r"(?<=[a-zà-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-ZÀ-ÖØ-Þ])(?=[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ])|_+")
_REPEATED = re.compile(r"([^\d\s])\1{3,}")  # digits stay: 10000 is not 1000
_PLACEHOLDER = re.compile("|".join([re.escape(TARGET), re.escape(OTHER), r"@user\b", r"\bhttp\b", "#"]))
_SPACE = re.compile(r"\s+")
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}
_KEPT = {"\u200c", "\u200d"}  # joiners: emoji such as 👩‍🔧 are made with them


@dataclass(frozen=True)
class Mention:
    """One public text about an organisation.

    `target` names an organisation of the watchlist, or any organisation when there is none; `lang` is an
    ISO 639-1 code (detected when absent); `created_at` an ISO 8601 date; `answered` whether somebody replied.
    """

    id: str
    text: str
    lang: str | None = None
    created_at: str | None = None
    target: str | None = None
    answered: bool | None = None


def prepare(text: str, *, watchlist: Watchlist | None = None, target: str | None = None) -> str:
    """The text as the model reads it.

    Unicode NFC without invisible characters; HTML entities decoded; URLs become `http`, @users `@user`; the
    organisations of `watchlist` become TARGET (the one named `target`) or OTHER; hashtags are split into words
    and keep their `#`; a character repeated more than three times is cut to three, digits excepted; white space
    becomes one space. Emoji, case and punctuation stay. Never raises; preparing twice changes nothing.
    """
    text = _readable(text)
    if watchlist:
        text = watchlist.mask(text, target)
    text = _HASHTAG.sub(_split_hashtag, text)
    if watchlist:
        text = watchlist.mask(text, target)  # again: #BrandSucks names the brand only once it is split
    text = _USER.sub("@user", text)
    text = _REPEATED.sub(r"\1\1\1", text)
    return text.strip()


def named(text: str, watchlist: Watchlist) -> list[Organisation]:
    """The organisations of `watchlist` that `prepare` masks in `text`, in the watchlist's order.

    Not those of its URLs, which become `http`, but those of its hashtags, which are split.
    """
    if not watchlist:
        return []
    text = _readable(text)
    split = _HASHTAG.sub(_split_hashtag, watchlist.mask(text, None))
    found = {organisation.name for organisation in (*watchlist.found(text), *watchlist.found(split))}
    return [organisation for organisation in watchlist.organisations if organisation.name in found]


def wording(prepared: str) -> str:
    """A prepared text without what `prepare` put in: the author's words alone tell the language."""
    return _PLACEHOLDER.sub(" ", prepared)


def _readable(text: str) -> str:
    text = _visible(text)
    text = _AMPERSAND.sub("&", _ENTITY.sub(lambda match: _ENTITIES[match.group(1)], text))
    return _SPACE.sub(" ", _URL.sub("http", text))  # one space between the words of a name too


def _visible(text: str) -> str:
    """NFC, with line breaks as spaces and without control, format, surrogate or unassigned characters."""
    if text.isprintable():  # none of those characters is, and of spaces only the plain one
        return unicodedata.normalize("NFC", text)
    kept = []
    for character in text:
        if character.isspace():
            kept.append(" ")
        elif character in _KEPT or unicodedata.category(character) not in _INVISIBLE:
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))


def _split_hashtag(match: re.Match[str]) -> str:
    return "#" + _WORD_START.sub(" ", match.group(1)).strip()


__all__ = ["MAX_CHARACTERS", "OTHER", "TARGET", "Mention", "named", "prepare", "wording"]
