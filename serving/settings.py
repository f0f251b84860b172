"""What an operator can set: each by an environment variable, `TYMPAN_` and its name in capitals."""

from __future__ import annotations

import base64
import binascii
import re
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from model.bundle import PRETRAINED
from serving.errors import RequestTooLargeError, SettingsError

Open = Literal["health", "ready", "metrics"]
_LEAST_SECRET = 24  # bytes, as Standard Webhooks has it


class Settings(BaseSettings):
    """The service's settings. `Settings.read()` is the way to make one: it names a variable at fault."""

    model_config = SettingsConfigDict(env_prefix="TYMPAN_", frozen=True)

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    bundle: Path = Field(PRETRAINED, description="The bundle to serve, or a registry whose champion is served.")
    reload_seconds: float = Field(
        1.0, gt=0, le=3600, description="How often a registry's pointer `champion` is looked at, in seconds."
    )
    max_mentions: int = Field(1000, ge=1, description="The most mentions in one call.")
    max_bytes: int = Field(2**20, ge=1, description="The longest request body, in bytes.")
    max_unpacked: int = Field(
        8 * 2**30,
        ge=1,
        description="The most bytes that a compressed file, a workbook, a URL or standard input may come to.",
    )
    receive_seconds: int = Field(
        20,
        ge=1,
        description="Seconds for a request's head to come, for its body, and for an answer to be read; "
        "idle connections live as long.",
    )
    drain_seconds: float = Field(
        0.0,
        ge=0,
        le=300,
        description="Seconds for which it serves on after it was told to stop, with /ready at 503, so that a load "
        "balancer sends no more first.",
    )
    workers: int = Field(1, ge=1, description="Processes that serve on the address.")
    threads: int | None = Field(
        None, ge=1, description="Threads of the network in each; by default they share the processors allowed."
    )
    timeout_ms: int = Field(
        30_000,
        ge=1,
        le=600_000,
        description="Milliseconds to answer in, if X-Request-Timeout-Ms says none.",
    )
    queue_tokens: int = Field(
        200_000, ge=1, description="Tokens of texts that may wait; calls beyond are refused with 429."
    )
    cached_texts: int = Field(50_000, ge=1, description="Distinct texts whose answers are remembered.")
    log_format: Literal["json", "text"] = Field("json", description="The form of the log, which is one line a record.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged; requests are info, and those that failed worse."
    )
    state: Path | None = Field(
        None,
        description="The folder of what is to be kept: jobs, corrections and Label Studio's events. "
        "There are no jobs, and no events are kept, if it is not set.",
    )
    label_studio_user: str = Field(
        "",
        pattern="^[ -9;-~]*$",
        description="Who may call /label-studio. If empty anybody, or nobody where keys are asked for.",
    )
    label_studio_password: SecretStr = Field(
        SecretStr(""), validate_default=True, description="The password of that user, in ASCII."
    )

    priorities: Path | None = Field(
        None, description="The file of rules by which mentions get priorities; those that ship if it is not set."
    )
    keys: Path | None = Field(
        None, description="The file of the keys that callers need; none is asked for if it is not set."
    )
    keys_off: bool = Field(
        False, description="Ask for no key at all, even where others than this machine can reach the service."
    )
    open: Annotated[tuple[Open, ...], NoDecode] = Field(
        get_args(Open),
        description="What asks for no key where all else does, with commas between them; the others ask for any key.",
    )
    origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="The web origins whose pages may call, with commas between them; * for all, none by default."
    )

    queue: SecretStr = Field(
        SecretStr(""),
        description="The Redis by which machines share jobs, redis://…; a file in TYMPAN_STATE is the queue if empty.",
    )
    job_bytes: int = Field(2**30, ge=1, description="The longest file of a job, in bytes.")
    job_quota: int = Field(10, ge=1, description="Jobs of one key that may be unfinished at once.")
    job_quota_bytes: int = Field(
        10 * 2**30, ge=1, description="The bytes of one key's files and results beyond which it gets no new job."
    )
    job_seconds: int = Field(
        86_400, ge=1, description="Seconds for which a job that has ended is kept, and its result."
    )
    job_storage: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="The storage that jobs may take files from and copy results to: prefixes such as s3://exports/ "
        "with commas between them, none by default.",
    )
    webhook_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="The hosts that jobs may call when they end, with commas between them; none by default."
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""), validate_default=True, description="What those calls are signed with, whsec_ and Base64."
    )
    webhook_private: bool = Field(
        False, description="Let those calls go to loopback, private and link-local addresses too."
    )

    feedback: SecretStr = Field(
        SecretStr(""),
        description="The PostgreSQL that keeps corrections, postgresql+psycopg://…; a file in TYMPAN_STATE does if "
        "empty.",
    )
    recent: int = Field(
        0, ge=0, description="Mentions whose texts are kept so that corrections may name their ids alone; the newest."
    )

    @field_validator("open", "origins", "job_storage", "webhook_hosts", mode="before")
    @classmethod
    def _split(cls, given: object) -> object:
        return tuple(given.replace(",", " ").split()) if isinstance(given, str) else given

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if any(not re.fullmatch(r"\*|https?://[^/\s]+", origin) for origin in origins):
            raise ValueError("has an entry that is no origin, such as https://example.org")
        return origins

    @field_validator("queue")
    @classmethod
    def _is_redis(cls, queue: SecretStr) -> SecretStr:
        if not re.fullmatch(r"(rediss?://\S+)?", queue.get_secret_value()):
            raise ValueError("is no URL of a Redis, such as redis://127.0.0.1:6379/0")
        return queue

    @field_validator("feedback")
    @classmethod
    def _is_postgresql(cls, feedback: SecretStr) -> SecretStr:
        if not re.fullmatch(r"(postgresql(\+psycopg)?://\S+)?", feedback.get_secret_value()):
            raise ValueError("is no URL of a PostgreSQL, such as postgresql+psycopg://127.0.0.1/tympan")
        return feedback

    @field_validator("recent")
    @classmethod
    def _has_a_place(cls, recent: int, info: ValidationInfo) -> int:
        feedback: SecretStr | None = info.data.get("feedback")
        if recent and not info.data.get("state") and not (feedback and feedback.get_secret_value()):
            raise ValueError("is set, and neither TYMPAN_STATE nor TYMPAN_FEEDBACK is")
        return recent

    @field_validator("job_storage")
    @classmethod
    def _are_prefixes(cls, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        if any(not re.fullmatch(r"(?!https?:)[a-z][a-z0-9+.-]*://[^\s:]+/", prefix) for prefix in prefixes):
            raise ValueError("has an entry that is no folder of a storage, such as s3://exports/")
        return prefixes

    @field_validator("webhook_secret")
    @classmethod
    def _signs(cls, secret: SecretStr, info: ValidationInfo) -> SecretStr:
        given = secret.get_secret_value()
        if not given and info.data.get("webhook_hosts"):
            raise ValueError("is not set, and TYMPAN_WEBHOOK_HOSTS is")
        try:
            key = base64.b64decode(given.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            key = b""
        if given and len(key) < _LEAST_SECRET:
            raise ValueError(f"is not whsec_ and the Base64 of {_LEAST_SECRET} bytes or more")
        return secret

    @field_validator("webhook_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        if any(not re.fullmatch(r"[A-Za-z0-9.-]+|[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*", host) for host in hosts):
            raise ValueError("has an entry that is no host, such as hooks.example.org")
        return hosts

    @field_validator("label_studio_password")
    @classmethod
    def _with_user(cls, password: SecretStr, info: ValidationInfo) -> SecretStr:
        if bool(password.get_secret_value()) != bool(info.data.get("label_studio_user")):
            raise ValueError("user and password are both set, or neither is")
        if not password.get_secret_value().isascii():  # HTTP has no common encoding for others
            raise ValueError("is not ASCII")
        return password

    @classmethod
    def read(cls, **given: object) -> Settings:
        """The settings of the environment, with those `given` (and not None) in their place.

        Raises SettingsError, which names the variable.
        """
        try:
            chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
            return cls(**chosen)
        except ValidationError as error:
            first = error.errors()[0]
            name = f"TYMPAN_{first['loc'][0]}".upper()  # what follows is the place in a list
            raise SettingsError(name, f"cannot be used: {first['msg']}", "Set another value or unset it") from error

    def check_count(self, field: str, count: int, *, remedy: str = "Send them in several calls") -> None:
        """Refuse a call whose `field` has more entries than one may have: RequestTooLargeError."""
        if count > self.max_mentions:
            raise RequestTooLargeError(field, f"are more than {self.max_mentions:,}", remedy)


def version() -> str:
    """The version of Tympan that is installed."""
    try:
        return metadata.version("tympan")
    except metadata.PackageNotFoundError:  # run from a checkout that nobody installed
        return "uninstalled"
