"""What a caller sends to make a job: a file, in a form or alone, or the address of one, with how it is to be read."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

from anyio import fail_after, to_thread
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError

from serving.body import drain
from serving.errors import MediaTypeError, NotAllowedError, RequestTooLargeError, SlowRequestError
from serving.jobs.form import Form, file_name
from serving.jobs.job import Options, plain_name
from serving.settings import Settings

_BUFFER = 2**20  # bytes that are written at once
_AROUND = 2**21  # of a form beside its file
_DRAINED = 2**24  # read and dropped of what is too long, so that a client still sending sees the answer
_SLOWEST = 10_000  # bytes a second, on the whole: slower, one sender could keep a place for days


class StoredRequest(Options):
    """A job whose file is taken from a storage."""

    url: str = Field(min_length=1, max_length=2000, description="The file's address.", examples=["s3://exports/a.csv"])


class _Receiver:
    """Writes what comes, in large pieces and beside the event loop."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._digest = blake2b(digest_size=16)
        self._buffer = bytearray()

    def take(self, block: bytes) -> None:
        self._buffer += block

    async def flush(self, *, least: int = _BUFFER) -> None:
        """Write what has come, if it is as much as that."""
        if len(self._buffer) >= least:
            block, self._buffer = bytes(self._buffer), bytearray()
            await to_thread.run_sync(self._write, block)

    async def finish(self) -> str:
        """Close it; returns the digest of the bytes."""
        await self.flush(least=1)
        await to_thread.run_sync(self._close)
        return self._digest.hexdigest()

    def abandon(self) -> None:
        with suppress(OSError):  # a full disk refuses what is left, and the file goes anyway
            self._file.close()

    def _close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())  # 202 says that it is kept
        self._file.close()

    def _write(self, block: bytes) -> None:
        self._file.write(block)
        self._digest.update(block)


async def receive(request: Request, settings: Settings, folder: Path) -> dict[str, Any]:
    """Read a request, its file into `folder` as `received`; returns what of a job it says.

    Raises RequestTooLargeError, SlowRequestError, MediaTypeError, RequestValidationError, NotAllowedError and, if
    nothing can be written, OSError.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    alone = file_name(request.headers.get("content-disposition", ""))
    if request.query_params and (kind == "multipart/form-data" or (alone is None and kind == "application/json")):
        said = "stands in the address, where only a file that is sent alone has its options"
        raise RequestValidationError(
            [{"type": "value_error", "loc": ("query", name), "msg": said} for name in request.query_params]
        )
    if alone is None and kind == "application/json":
        return await _stored(request, settings)
    if alone is None and kind == "application/octet-stream":
        alone = ""
    if alone is None and kind != "multipart/form-data":
        remedy = "Send a form with a file, a file with Content-Disposition: attachment; filename=…, or JSON with a url"
        raise MediaTypeError("content-type", "says neither a form nor JSON, and the body has no file name", remedy)
    receiver = await to_thread.run_sync(_Receiver, folder / "received")
    try:
        form = Form(request.headers["content-type"], receiver.take) if alone is None else None
        async for block in _blocks(request, settings, settings.job_bytes + (_AROUND if form else 0)):
            form.feed(block) if form else receiver.take(block)
            await receiver.flush()
        if form:
            form.close()
        content = await receiver.finish()
    finally:
        receiver.abandon()
    if (folder / "received").stat().st_size > settings.job_bytes:  # the form around it was allowed for
        raise _too_large(settings.job_bytes)
    given = form.fields if form else dict(request.query_params)
    name = (form.file if form else alone) or ""
    return _asked(plain_name(name), _options(Options, _parsed(given)), content=content)


async def _stored(request: Request, settings: Settings) -> dict[str, Any]:
    blocks = [block async for block in _blocks(request, settings, settings.max_bytes)]
    try:
        given = json.loads(b"".join(blocks))
    except (ValueError, RecursionError):
        raise RequestValidationError([{"type": "json_invalid", "loc": ("body",), "msg": "no JSON"}]) from None
    asked = _options(StoredRequest, given)
    check_storage("url", asked.url, settings)
    options = Options(**{name: getattr(asked, name) for name in Options.model_fields})
    return _asked(plain_name(asked.url), options, url=asked.url)


def check_storage(field: str, url: str, settings: Settings) -> None:
    """NotAllowedError unless jobs may read and write at `url`."""
    parts = url.partition("://")[2].split("/")
    plain = url.isprintable() and "::" not in url and not {".", ".."} & set(parts)  # fsspec chains storages by ::
    if not plain or not any(url.startswith(prefix) and url != prefix for prefix in settings.job_storage):
        prefixes = ", ".join(settings.job_storage) or "none: the operator sets TYMPAN_JOB_STORAGE"
        raise NotAllowedError(field, "is in no storage that jobs may use", f"Allowed: {prefixes}")


def _asked(file: str, options: Options, *, content: str = "", url: str | None = None) -> dict[str, Any]:
    """The fields of a job; `content` is the digest of the file's bytes."""
    whole = json.dumps([file, options.model_dump(mode="json"), content, url]).encode()
    fingerprint = blake2b(whole, digest_size=16).hexdigest()
    return {"file": file, "options": options, "url": url, "fingerprint": fingerprint}


def _options(kind: type, given: Any) -> Any:  # noqa: ANN401 — of that kind
    """RequestValidationError points to the field at fault."""
    try:
        return kind.model_validate(given)  # type: ignore[attr-defined]
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**entry, "loc": ("body", *entry["loc"])} for entry in found]) from None


def _parsed(given: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a form as JSON has them; those that are empty are left out, as forms send them."""
    found: dict[str, Any] = {name: value for name, value in given.items() if value}
    for name in ("min_score", "watchlist"):
        with suppress(ValueError, RecursionError):  # what is no JSON stays text, and is refused as such
            found |= {name: json.loads(found[name])} if name in found else {}
    return found


async def _blocks(request: Request, settings: Settings, most: int) -> AsyncIterator[bytes]:
    """The body as it comes; RequestTooLargeError beyond `most` bytes, SlowRequestError if too little comes in time."""
    declared, seconds = request.headers.get("content-length", ""), settings.receive_seconds
    if declared.isdecimal() and int(declared) > most:
        await drain(request, _DRAINED)
        raise _too_large(settings.job_bytes)
    stream, began, size = request.stream(), time.monotonic(), 0
    while True:
        left = began + seconds + size / _SLOWEST - time.monotonic()
        try:
            with fail_after(max(0.0, min(seconds, left))):
                block = await anext(stream, None)
        except TimeoutError:
            raise SlowRequestError("body", "comes too slowly, or no more of it comes", "Send it at once") from None
        if block is None:
            return
        size += len(block)
        if size > most:
            await drain(request, _DRAINED)
            raise _too_large(most)
        yield block


def _too_large(most: int) -> RequestTooLargeError:
    return RequestTooLargeError("body", f"is longer than {most:,} bytes", "Split the file, or compress it")


def _in_form(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an option where there is no null: it is left out, or empty, instead."""
    there = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    whole = {**schema, **(there or [{}])[0]}
    return {name: said for name, said in whole.items() if name not in ("anyOf", "default", "minLength")}


_FIELDS = {
    name: _in_form(schema)
    for name, schema in Options.model_json_schema(ref_template="#/components/schemas/{model}")["properties"].items()
    if name != "watchlist"
} | {"watchlist": {"type": "string", "contentMediaType": "application/json", "description": "As in JSON."}}
_FILE = {"type": "string", "format": "binary"}
_STORED = StoredRequest.model_json_schema(ref_template="#/components/schemas/{model}")
BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": _FILE, **_FIELDS},
                "additionalProperties": False,
            }
        },
        "application/json": {"schema": {name: said for name, said in _STORED.items() if name != "$defs"}},
        "application/octet-stream": {"schema": _FILE},
    },
    "description": "A form with the file; or the file alone, with `Content-Disposition: attachment; filename=…` "
    "and the options in the query; or JSON with the address of a file.",
}
"""The body as OpenAPI has it."""
