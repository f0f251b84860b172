"""Keys that let callers in, in a file that holds only their hashes.

A key is 256 random bits: too many to guess or to try one by one. SHA-256 therefore hides it as well as a slow hash
would, which is made for what people think up, and costs a call nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from serving.errors import KeysError

_PREFIX = "tympan_"  # by which people and scanners know a key that went astray
_BYTES = 32
_LOCK_SECONDS = 10
_log = logging.getLogger(__name__)


class Scope(StrEnum):
    """What a key may do. `admin` may do everything."""

    TAG = "tag"
    JOBS = "jobs"
    FEEDBACK = "feedback"
    ADMIN = "admin"


class Key(BaseModel):
    """One key as the file has it: a name, a hash and what it may do. Quotas are per minute and process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    per_minute: Annotated[int, Field(ge=1)] | None = None
    mentions_per_minute: Annotated[int, Field(ge=1)] | None = None
    expires: date | None = None
    """The first day, in UTC, on which it is refused."""
    made: date

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    @property
    def expired(self) -> bool:
        return self.expires is not None and _today() >= self.expires


_KEYS = TypeAdapter(tuple[Key, ...])


class Keyring:
    """The keys of a file, which is read again when it changes; if it cannot be read, they stay as they were."""

    def __init__(self, path: Path) -> None:
        """KeysError if the file cannot be read."""
        self._path = path
        self._seen = _state(path)
        self._keys = read_keys(path)

    def find(self, secret: str) -> Key | None:
        """The key whose secret this is. Takes as long whichever it is, and if it is none."""
        self._refresh()
        given, found = _hash(secret), None
        for key in self._keys:
            if secrets.compare_digest(key.sha256, given):
                found = key
        return found

    def _refresh(self) -> None:
        if (state := _state(self._path)) == self._seen:
            return
        self._seen = state
        try:
            self._keys = read_keys(self._path)
        except KeysError as error:
            _log.warning("keys: the old ones stay in force. %s", error)


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys of a file, in the order in which they were made; KeysError if it cannot be read."""
    try:
        keys = _KEYS.validate_python(json.loads(path.read_bytes())["keys"])
    except OSError as error:
        raise KeysError(str(path), f"cannot be read: {error.strerror}", "Make a key: tympan keys add") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(map(str, first["loc"]))
        raise KeysError(f"{path}: keys/{where}", f"cannot be used: {first['msg']}", "Mend it") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise KeysError(str(path), "is no file of keys", "Make one with tympan keys add") from None
    if len({key.name for key in keys}) < len(keys):
        raise KeysError(str(path), "names two keys alike", "Give each a name of its own")
    return keys


def add_key(
    path: Path,
    name: str,
    scopes: Sequence[Scope],
    *,
    per_minute: int | None = None,
    mentions_per_minute: int | None = None,
    expires: date | None = None,
) -> str:
    """Make a key in the file, and the file if there is none. Returns the secret, which is nowhere else.

    KeysError if the name is taken or cannot be one, or the file cannot be read or written.
    """
    secret = _PREFIX + secrets.token_urlsafe(_BYTES)
    try:
        key = Key(
            name=name,
            sha256=_hash(secret),
            scopes=tuple(dict.fromkeys(scopes)),
            per_minute=per_minute,
            mentions_per_minute=mentions_per_minute,
            expires=expires,
            made=_today(),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise KeysError(str(first["loc"][0]), f"cannot be used: {first['msg']}", "Choose another") from None
    if key.expired:
        raise KeysError("expires", "is not a day to come", "Choose a later one")
    with _changing(path) as keys:
        if name in keys:
            raise KeysError(f"{path}: {name}", "is there already", "Choose another name, or revoke it first")
        keys[name] = key
    return secret


def revoke_key(path: Path, name: str) -> None:
    """Take a key out of the file; KeysError if it is not there, or the file cannot be read or written."""
    with _changing(path) as keys:
        if keys.pop(name, None) is None:
            raise KeysError(f"{path}: {name}", "is no key of this file", "See them: tympan keys list")


@contextmanager
def _changing(path: Path) -> Iterator[dict[str, Key]]:
    """The keys by name, to be changed by one process at a time; written if the block succeeds."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=_LOCK_SECONDS, mode=0o600):
            keys = {key.name: key for key in read_keys(path)} if path.exists() else {}
            yield keys
            _write(path, tuple(keys.values()))
    except Timeout:
        raise KeysError(str(path), "is being changed by another process", "Try again") from None
    except OSError as error:
        raise KeysError(str(path), f"cannot be written: {error.strerror}", "Set TYMPAN_KEYS to another") from error


def _write(path: Path, keys: Sequence[Key]) -> None:
    """Aside and renamed, so that a reader finds the old file or the new one.

    Whoever could read the old one can read the new: root's change must not lock the service out. A first one is its
    owner's alone.
    """
    path = path.resolve()  # a link stays a link
    number, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # made with mode 600
    try:
        with os.fdopen(number, "wb") as file:
            file.write(json.dumps({"keys": _KEYS.dump_python(tuple(keys), mode="json")}, indent=1).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            before, now = path.stat(), Path(draft).stat()
            if before.st_uid != now.st_uid:
                os.chown(draft, before.st_uid, before.st_gid)
            elif before.st_gid != now.st_gid:
                with suppress(PermissionError):  # its owner is not of that group
                    os.chown(draft, -1, before.st_gid)
            Path(draft).chmod(stat.S_IMODE(before.st_mode))
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes when the file does."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _today() -> date:
    return datetime.now(UTC).date()
