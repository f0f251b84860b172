"""How a text file was written: its encoding, byte order mark and, for a table, its delimiter."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from charset_normalizer import from_bytes

from serving.errors import TableError

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAMPLE = 65_536  # bytes from which a delimiter, or an encoding other than UTF-8, is told
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_LEGACY = ["cp1252", "mac_roman", "cp850"]  # what spreadsheets of Western Europe write when it is not Unicode


@dataclass(frozen=True)
class Encoding:
    """The encoding and byte order mark of a file.

    Bytes that the encoding does not know are read as lone surrogates (`errors`) and so written back as they were.
    """

    name: str
    mark: bytes = b""

    @property
    def errors(self) -> str:
        return "strict" if self.name.startswith("utf-16") else "surrogateescape"

    @contextmanager
    def open(self, path: Path, newline: str = "") -> Iterator[TextIO]:
        """`path` for reading behind its mark, with line ends as they are; TableError if it is in another encoding."""
        with path.open("rb") as file:
            file.seek(len(self.mark))
            try:
                yield io.TextIOWrapper(file, self.name, self.errors, newline=newline)
            except UnicodeDecodeError as error:
                raise TableError(str(path), f"is no {self.name}", "Save it as UTF-8, or say --encoding") from error

    def encode(self, text: str) -> bytes:
        """As bytes. What the encoding has no letter for (in our columns alone) becomes a question mark."""
        try:
            return text.encode(self.name, self.errors)
        except UnicodeEncodeError:
            return b"".join(_encode_letter(letter, self.name, self.errors) for letter in text)

    def __str__(self) -> str:
        return self.name + (" with byte order mark" if self.mark else "")


def _encode_letter(letter: str, name: str, errors: str) -> bytes:
    try:
        return letter.encode(name, errors)
    except UnicodeEncodeError:
        return letter.encode(name, "replace")


def encoding_of(path: Path, name: str | None = None) -> Encoding:
    """The encoding of a text file, or `name` with the mark that the file has.

    Raises TableError if the file is missing, empty, binary, or in an encoding that cannot be told.
    """
    head = _head(path)
    mark = next((mark for mark in _MARKS if head.startswith(mark)), b"")
    if name:
        return _named(name, mark)
    if mark:
        return Encoding(_MARKS[mark], mark)
    if head.startswith(b"PK\x03\x04"):
        raise TableError(str(path), "is a workbook or ZIP archive", "Save it as CSV")
    if b"\0" in head:
        raise TableError(str(path), "is a binary file", "Give CSV or JSONL")
    fault = _first_fault(path)
    return Encoding("utf-8" if fault is None else _legacy(path, fault))


def delimiter_of(path: Path, encoding: Encoding) -> str:
    """The delimiter with which the most records have as many cells as the header, and more than one.

    csv.Sniffer is not used: it takes a full stop or the commas of a quoted text for the delimiter.
    """
    with encoding.open(path) as file:
        sample = file.read(_SAMPLE)
    if len(sample) == _SAMPLE:
        sample = sample[: max(sample.rfind("\n"), sample.rfind("\r")) + 1] or sample  # no record cut short

    def fitness(delimiter: str) -> tuple[bool, float, int]:
        widths = [len(cells) for cells in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if cells]
        width = widths[0] if widths else 0
        share = widths.count(width) / len(widths) if widths else 0.0
        return width > 1 and share > 0.3, share, width

    return max(DELIMITERS, key=fitness)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(_SAMPLE)
    except FileNotFoundError as error:
        raise TableError(str(path), "is missing", "Check the path") from error
    except OSError as error:
        raise TableError(str(path), f"cannot be read: {error.strerror}") from error
    if not head.strip() or head in _MARKS:
        raise TableError(str(path), "is empty", "Give a file with a header and one mention a row")
    return head


def _named(name: str, mark: bytes) -> Encoding:
    try:
        known = codecs.lookup(name).name
        "".encode(known)
    except LookupError as error:
        raise TableError("--encoding", f"{name!r} is not known", "Try utf-8, cp1252 or mac_roman") from error
    if known in ("utf-16", "utf-8-sig"):
        known = _MARKS.get(mark, "utf-16-le" if known == "utf-16" else "utf-8")
    return Encoding(known, mark if _MARKS.get(mark) == known else b"")


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(2**20):
            yield block


def _first_fault(path: Path) -> int | None:
    """About where the file stops being UTF-8, in bytes; None if it is UTF-8 to its end."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    read = 0
    try:
        for block in _blocks(path):
            decoder.decode(block)
            read += len(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return read + error.start
    return None


def _legacy(path: Path, fault: int) -> str:
    """The encoding of a file that is not UTF-8 from byte `fault` on."""
    with path.open("rb") as file:
        file.seek(max(0, fault - _SAMPLE // 2))
        sample = file.read(_SAMPLE)
    unicode = sample.decode("utf-8", "surrogateescape")
    stray = sum("\udc80" <= letter <= "\udcff" for letter in unicode)
    if sum(not letter.isascii() for letter in unicode) > 2 * stray:  # UTF-8 in which an exporter cut a letter
        return "utf-8"
    found = from_bytes(sample, cp_isolation=_LEGACY, preemptive_behaviour=False).best()
    if found is None:
        raise TableError(
            str(path), "is a binary file, or in an unknown encoding", "Save it as UTF-8, or say --encoding"
        )
    return found.encoding
