"""Where a table comes from: a path, a URL or standard input, plain or compressed.

A table is read more than once, so that what cannot be (a pipe, a URL) and what is compressed is first written to a
temporary file, which goes when the source does.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from serving.errors import TableError
from serving.tables.remote import blocks_of, is_remote, shown

STDIN = "-"
MOST = 8 * 2**30
"""The most bytes that a compressed file, an archive, a URL or standard input may come to, unless said otherwise."""
ENDINGS = {"gzip": ".gz", "zstd": ".zst"}
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_BLOCK = 2**20  # bytes


class Source:
    """Bytes that can be read again and again, under the `name` that the user knows them by.

    `path` holds them decompressed; `given` is the user's own file, None if it is elsewhere. At most `most` bytes are
    fetched or unpacked. Raises TableError if there are none, or they cannot be had.
    """

    def __init__(self, given: str | Path, *, most: int = MOST) -> None:
        self.most = most
        self.name = shown(str(given))
        self.given = None if is_remote(str(given)) or str(given) == STDIN else Path(given)
        self._spools: list[Any] = []
        self.path = self._fetched(given)
        head = self.head(4)
        self.compression = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "")
        if self.compression:
            self.path = self._spooled(self._unpacked())
        if not self.head(1):
            raise TableError(self.name, "is empty", "Give a file with a header and one mention a row")

    @property
    def file_name(self) -> str:
        """The name of the file alone, without the ending of its compression; empty for standard input."""
        name = PurePosixPath(unquote(urlsplit(self.name).path) if is_remote(self.name) else self.name).name
        return "" if name == STDIN else name.removesuffix(ENDINGS.get(self.compression, ""))

    @property
    def suffix(self) -> str:
        """The ending of that name, in lower case."""
        return PurePosixPath(self.file_name).suffix.lower()

    def head(self, length: int) -> bytes:
        with self.open() as file:
            try:
                return file.read(length)
            except OSError as error:
                raise self._unreadable(error) from error

    def open(self) -> BinaryIO:
        """The bytes, for reading from their start; TableError if there is no such file."""
        try:
            return self.path.open("rb")
        except FileNotFoundError as error:
            raise TableError(self.name, "is missing", "Check the path") from error
        except OSError as error:
            raise self._unreadable(error) from error

    def blocks(self) -> Iterator[bytes]:
        with self.open() as file:
            yield from iter(partial(file.read, _BLOCK), b"")

    def fingerprint(self) -> str:
        """BLAKE2 of all bytes, in hexadecimal: a sample would miss a letter changed in the middle."""
        found = hashlib.blake2b(digest_size=16)
        for block in self.blocks():
            found.update(block)
        return found.hexdigest()

    def _unreadable(self, error: OSError) -> TableError:
        return TableError(self.name, f"cannot be read: {error.strerror or type(error).__name__}")

    def _fetched(self, given: str | Path) -> Path:
        """A file on this machine that can be read twice."""
        if str(given) == STDIN:
            return self._spooled(iter(partial(sys.stdin.buffer.read, _BLOCK), b""))
        if is_remote(str(given)):
            return self._spooled(blocks_of(str(given)))
        self.path = Path(given)
        if self.path.is_fifo() or self.path.is_char_device():
            return self._spooled(self.blocks())
        return self.path

    def _unpacked(self) -> Iterator[bytes]:
        """What the compressed file holds; TableError if it is damaged."""
        opened = gzip.open if self.compression == "gzip" else _zstd().open
        try:
            with opened(self.path) as stream:
                yield from iter(partial(stream.read, _BLOCK), b"")
        except (EOFError, zlib.error, gzip.BadGzipFile, _zstd().ZstdError) as error:
            problem = f"is damaged: it cannot be read to the end as {self.compression}"
            raise TableError(self.name, problem, "Compress it anew") from error

    def _spooled(self, blocks: Iterator[bytes]) -> Path:
        """A temporary file with all `blocks`; TableError if they are too many."""
        spool = tempfile.NamedTemporaryFile(prefix="tympan-")  # noqa: SIM115 — it lives as long as the source
        self._spools.append(spool)
        written = 0
        for block in blocks:
            written += len(block)
            if written > self.most:
                problem = f"comes to more than {self.most:,} bytes"
                raise TableError(self.name, problem, "Split it, or raise TYMPAN_MAX_UNPACKED")
            try:
                spool.write(block)
            except OSError as error:
                problem = f"has no room in {tempfile.gettempdir()}: {error.strerror}"
                raise TableError(self.name, problem, "Make room, or set TMPDIR") from error
        spool.flush()
        return Path(spool.name)


class _Forward(io.RawIOBase):
    """A stream that is only written on: an archive in it must not go back to what is compressed already."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:  # noqa: ANN401 — whatever has bytes
        return self._stream.write(block)


@contextmanager
def compressed(file: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    """A stream into `file`, compressed as the ending of `path` says; the same bytes on every day."""
    if path.suffix.lower() == ENDINGS["gzip"]:
        with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as stream:
            yield cast(BinaryIO, _Forward(cast(BinaryIO, stream)))
    elif path.suffix.lower() == ENDINGS["zstd"]:
        with _zstd().open(file, "wb") as stream:
            yield cast(BinaryIO, _Forward(stream))
    else:
        yield file


def plain_suffix(path: Path) -> str:
    """The ending of a file's name in lower case, that of a compression left out."""
    return Path(path.stem if path.suffix.lower() in ENDINGS.values() else path.name).suffix.lower()


def _zstd() -> Any:  # noqa: ANN401 — a module
    return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
