"""What a URL holds: over HTTP, or in whatever storage fsspec knows."""

from __future__ import annotations

import http.client
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from labels.extra import library
from serving.errors import TableError

_BLOCK = 2**20  # bytes
_PATIENCE = 60  # seconds without a byte from the server


def is_remote(given: str) -> bool:
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", given) is not None


def shown(given: str) -> str:
    """The name for messages: of a URL without user, password and query, which may be keys."""
    return re.sub(r"[?#].*", "", re.sub(r"://[^/]*@", "://", given)) if is_remote(given) else given


def blocks_of(url: str) -> Iterator[bytes]:
    """The content of `url`; TableError if it cannot be had, or ends before the server said."""
    return _over_http(url) if url.lower().startswith(("http://", "https://")) else _in_storage(url)


def copy(path: Path, url: str) -> None:
    """Write a file to `url`, in a storage that fsspec knows; TableError if it cannot be."""
    fsspec = library("fsspec", extra="files")
    try:
        with path.open("rb") as file, fsspec.open(url, "wb") as there:
            shutil.copyfileobj(file, there, _BLOCK)
    except ImportError as error:
        raise TableError(shown(url), f"needs a library: {error}") from error
    except Exception as error:  # as in `_in_storage`
        problem = f"cannot be written: {type(error).__name__}"
        raise TableError(shown(url), problem, "Check the URL and its keys") from error


def _over_http(url: str) -> Iterator[bytes]:
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE) as answer:  # noqa: S310 — http or https alone come here
            told = answer.headers.get("Content-Length") or ""
            left = int(told) if told.isdecimal() else 0
            for block in iter(partial(answer.read, _BLOCK), b""):
                left -= len(block)
                yield block
    except urllib.error.HTTPError as error:
        raise TableError(shown(url), f"cannot be had: the server answers {error.code}", "Check the URL") from error
    except http.client.IncompleteRead as error:  # of an answer in chunks, whose length nobody said
        raise TableError(shown(url), "was cut short", "Try again") from error
    except (http.client.InvalidURL, ValueError) as error:
        remedy = "Write blanks and accents as %20, %C3%A9, and check its port"
        raise TableError(shown(url), "cannot be had: it is not written as a URL", remedy) from error
    except (OSError, http.client.HTTPException) as error:
        raise TableError(shown(url), "cannot be had: the server cannot be reached", "Check the URL") from error
    if left > 0:
        raise TableError(shown(url), f"was cut short: {left:,} bytes are missing", "Try again")


def _in_storage(url: str) -> Iterator[bytes]:
    fsspec = library("fsspec", extra="files")
    try:
        with fsspec.open(url, "rb") as file:
            yield from iter(partial(file.read, _BLOCK), b"")
    except FileNotFoundError as error:
        raise TableError(shown(url), "is missing", "Check the URL") from error
    except ImportError as error:
        raise TableError(shown(url), f"needs a library: {error}") from error
    except Exception as error:  # each kind of storage has errors of its own, and their text may hold keys
        raise TableError(shown(url), f"cannot be read: {type(error).__name__}", "Check the URL and its keys") from error
