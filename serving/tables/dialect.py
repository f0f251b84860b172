"""How a text file was written: its encoding, byte order mark and, for a table, its delimiter."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from charset_normalizer import from_bytes

from serving.errors import TableError
from serving.tables.profile import Profile, header
from serving.tables.source import Source

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAMPLE = 65_536  # bytes from which a delimiter, or an encoding other than UTF-8, is told
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_LETTERS = frozenset("àâäçéèêëîïìíòóôöùûúüœæßñÀÂÇÉÈÊËÎÔÙÛÜÄÖŒ€’‘“”«»…–—°\xa0")
# Encodings to Python, and no file's; "utf-32" would put a mark before every row.
_NO_FILES = ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "utf-32")
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
    def open(self, source: Source, newline: str = "") -> Iterator[TextIO]:
        """`source` for reading behind its mark, with line ends as they are; TableError if it is otherwise encoded."""
        with source.open() as file:
            file.seek(len(self.mark))
            try:
                yield io.TextIOWrapper(file, self.name, self.errors, newline=newline)
            except UnicodeDecodeError as error:
                raise TableError(source.name, f"is no {self.name}", "Save it as UTF-8, or say --encoding") from error

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


def encoding_of(source: Source, name: str | None = None) -> Encoding:
    """The encoding of a text file, or `name` with the mark that the file has.

    Raises TableError if the file is empty, binary, or in an encoding that cannot be told.
    """
    head = source.head(_SAMPLE)
    if not head.strip() or head in _MARKS:
        raise TableError(source.name, "is empty", "Give a file with a header and one mention a row")
    mark = next((mark for mark in _MARKS if head.startswith(mark)), b"")
    if name:
        return _named(name, mark)
    if mark:
        return Encoding(_MARKS[mark], mark)
    if b"\0" in head:
        raise TableError(source.name, "is a binary file", "Give CSV, JSON, XLSX, ODS or Parquet")
    fault = _first_fault(source)
    return Encoding("utf-8" if fault is None else _legacy(source, fault))


def delimiter_of(source: Source, encoding: Encoding, profiles: Sequence[Profile] = ()) -> str:
    """The delimiter with which the most records have as many cells as the first, and more than one.

    One with which the header of a profile is found comes before all others. The sniffer of `csv` is not used: it takes
    a full stop or the commas of a quoted text for the delimiter.
    """
    with encoding.open(source) as file:
        sample = file.read(_SAMPLE)
    if len(sample) == _SAMPLE:
        sample = sample[: max(sample.rfind("\n"), sample.rfind("\r")) + 1] or sample  # no record cut short

    def fitness(delimiter: str) -> tuple[bool, bool, float, int]:
        records = [cells for cells in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if cells]
        width = len(records[0]) if records else 0
        share = sum(len(cells) == width for cells in records) / len(records) if records else 0.0
        return header(records, profiles)[1] is not None, width > 1 and share > 0.3, share, width

    return max(DELIMITERS, key=fitness)


def _named(name: str, mark: bytes) -> Encoding:
    try:
        known = codecs.lookup(name).name
        "".encode(known)
        if known in _NO_FILES:
            raise LookupError(known)
    except (LookupError, ValueError) as error:
        raise TableError("--encoding", f"{name!r} is not known", "Try utf-8, cp1252 or mac_roman") from error
    if known in ("utf-16", "utf-8-sig"):
        known = _MARKS.get(mark, "utf-16-le" if known == "utf-16" else "utf-8")
    return Encoding(known, mark if _MARKS.get(mark) == known else b"")


def _first_fault(source: Source) -> int | None:
    """About where the file stops being UTF-8, in bytes; None if it is UTF-8 to its end."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    read = 0
    try:
        for block in source.blocks():
            decoder.decode(block)
            read += len(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return read + error.start
    return None


def _legacy(source: Source, fault: int) -> str:
    """The encoding of a file that is not UTF-8 from byte `fault` on."""
    with source.open() as file:
        file.seek(max(0, fault - _SAMPLE // 2))
        sample = file.read(_SAMPLE)
    unicode = sample.decode("utf-8", "surrogateescape")
    stray = sum("\udc80" <= letter <= "\udcff" for letter in unicode)
    if sum(not letter.isascii() for letter in unicode) > 2 * stray:  # UTF-8 in which an exporter cut a letter
        return "utf-8"
    found = from_bytes(sample, cp_isolation=_LEGACY, preemptive_behaviour=False).best()
    if found is not None:
        return found.encoding
    if guess := _by_letters(sample):
        return guess
    raise TableError(source.name, "is a binary file, or in an unknown encoding", "Save it as UTF-8, or say --encoding")


def _by_letters(sample: bytes) -> str | None:
    """For a text too short to be told by its words: the encoding in which most of its letters are ours, if any are."""
    if any(byte < 32 and byte not in b"\t\n\r" for byte in sample):
        return None
    special = [byte for byte in sample if byte > 127]
    fits = {name: sum(letter in _LETTERS for letter in bytes(special).decode(name, "replace")) for name in _LEGACY}
    best = max(fits, key=fits.__getitem__)
    return best if 2 * fits[best] > len(special) else None
