"""One job: a file to tag, how it is to be read, and how far it has come."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from model.watchlist import Watchlist
from serving.priority import own_target
from serving.schemas import MAX_ORGANISATIONS, Asked, Id, OrganisationItem
from serving.tables.profile import shipped

State = Literal["queued", "running", "done", "failed", "cancelled"]
Told = Literal["waiting", "delivered", "failed"]
STATES: tuple[State, ...] = ("queued", "running", "done", "failed", "cancelled")
_PROFILES = [profile.name for profile in shipped()]
FORM = "^job-[0-9a-f]{12}$"


def _known_profile(name: str) -> str:
    """Refuse what is no profile that ships: the loader would take it for a file of this machine."""
    if name not in _PROFILES:
        raise ValueError(f"is none of: {', '.join(_PROFILES)}")
    return name


class Options(Asked):
    """How a file is to be read; what is absent is found out, as `tympan tag` does."""

    text_column: Id | None = Field(None, description="The column of the text; found by its name if absent.")
    target: Id | None = Field(None, description="The organisation that tags are towards.")
    watchlist: list[OrganisationItem] = Field(
        [], max_length=MAX_ORGANISATIONS, description="Organisations to tell apart, as in `POST /v1/tag`."
    )
    min_score: float = Field(
        0.0, ge=0.0, le=1.0, allow_inf_nan=False, description="A floor added to the tags' own thresholds."
    )
    sheet: Id | None = Field(None, description="The sheet of a workbook.")
    profile: (
        Annotated[Id, AfterValidator(_known_profile), WithJsonSchema({"type": "string", "enum": _PROFILES})] | None
    ) = Field(None, description="Whose export it is, by a name of docs/exports.md; found out by its header if absent.")
    encoding: Id | None = Field(None, description="The encoding of the file; found out if absent.")
    result_url: Annotated[str, Field(min_length=1, max_length=2000)] | None = Field(
        None, description="Where to copy the result to, in a storage that the service allows."
    )
    webhook: Annotated[str, Field(min_length=1, max_length=2000)] | None = Field(
        None, description="A URL to call when the job has ended, of a host that the service allows."
    )

    def to_watchlist(self) -> Watchlist:
        """As the tagger takes it; a target alone is a watchlist of one. WatchlistError if it cannot be used."""
        named = [organisation.model_dump() for organisation in self.watchlist]
        watchlist = Watchlist.from_dicts(named or ([{"name": self.target}] if self.target else []))
        own_target(watchlist, self.target)
        return watchlist


class Job(BaseModel):
    """What is known of a job, as its folder keeps it. Moments are in UTC."""

    model_config = ConfigDict(frozen=True)

    id: str
    owner: str
    """The name of the key that made it; empty where no key is asked for."""
    file: str
    """The name of the caller's file, without any folder."""
    created: datetime
    options: Options
    url: str | None = None
    """Where the file is taken from, if it was not sent."""
    fingerprint: str = ""
    """Of all that was asked for: two requests with the same one are the same."""
    request: str = ""
    trace: str = ""
    state: State = "queued"
    total: int | None = None
    done: int = 0
    failed: int | None = None
    rate: float | None = None
    """Rows a second."""
    started: datetime | None = None
    ended: datetime | None = None
    expires: datetime | None = None
    model: str | None = None
    begun: str | None = None
    """The model and the program that its finished rows are by: others start anew."""
    result: str | None = None
    """The result's name in the folder."""
    error: str | None = None
    tries: int = 0
    """Starts since the last row that was tagged."""
    told: Told | None = None
    """What became of the call of its webhook, once it has ended."""

    @property
    def open(self) -> bool:
        """Whether it is still to be worked on."""
        return self.state in ("queued", "running")

    @property
    def stored(self) -> str:
        """The name of its file in its folder: of the caller's name only the endings that say what it is."""
        return "input" + "".join(_endings(self.file))

    @property
    def result_name(self) -> str:
        """The caller's name for the result."""
        stem = self.file[: len(self.file) - len("".join(_endings(self.file)))]
        return stem + (self.result or "").removeprefix("input")

    def ending(self, state: State, seconds: int, **facts: object) -> Job:
        """It, ended, to be kept for so many seconds."""
        now = datetime.now(UTC)
        waits: Told | None = "waiting" if self.options.webhook else None
        options = self.options.model_copy(update={"watchlist": []})  # it may be large, and is of no use any more
        gone = {
            "options": options,
            "state": state,
            "ended": now,
            "expires": now + timedelta(seconds=seconds),
            "told": waits,
        }
        return self.model_copy(update={**gone, **facts})


def new_id(owner: str, key: str | None) -> str:
    """A job's id: always the same for the same idempotency key of the same owner, else a new one."""
    if key is None:
        return f"job-{secrets.token_hex(6)}"
    digest = blake2b("\n".join((owner, key)).encode(), digest_size=6)
    return f"job-{digest.hexdigest()}"


def plain_name(given: str) -> str:
    """A file's own name, whatever folders and control characters came with it."""
    name = given.replace("\\", "/").rpartition("/")[2]
    name = "".join(letter for letter in name if letter.isprintable()).strip(" .")
    return name[-150:] or "mentions"


_FORMATS = (".csv", ".tsv", ".tab", ".txt", ".jsonl", ".ndjson", ".json", ".xlsx", ".xlsm", ".ods", ".parquet")


def _endings(name: str) -> list[str]:
    """The endings that say what a file is, of its format and of its compression, in lower case."""
    endings = [ending.lower() for ending in PurePosixPath(name).suffixes[-2:]]
    packed = endings[-1:] if endings[-1:] in ([".gz"], [".zst"]) else []
    formats = endings[: len(endings) - len(packed)][-1:]
    return [*(ending for ending in formats if ending in _FORMATS), *packed]
