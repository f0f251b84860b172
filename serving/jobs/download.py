"""The files that callers get."""

from __future__ import annotations

import mimetypes
from pathlib import PurePath

from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from serving.errors import UnknownJobError

_TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".gz": "application/gzip",
    ".zst": "application/zstd",
}
"""Those that differ from system to system, or are not known to all."""


class WholeFile(FileResponse):
    """A file, of which no ranges are sent: Starlette refuses wrong ones in words of its own, and in plain text."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers["accept-ranges"] = "none"
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        try:
            await super().__call__({**scope, "headers": headers}, receive, send)
        except RuntimeError as error:  # Starlette's, before it has sent anything
            raise UnknownJobError("job", "is not there", "It has expired, or was deleted") from error


def media_type(name: str) -> str:
    """What a file of that name holds."""
    ending = PurePath(name).suffix.lower()
    return _TYPES.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"
