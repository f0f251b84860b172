"""The ZIP archive of a workbook, which may come from anybody: no more is unpacked than was said, and no DTD is read."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from xml.parsers import expat

from serving.errors import TableError
from serving.tables.source import Source

_ENTRIES = 20_000
_PART = 2**26  # bytes of a part of which much is held, such as the list of the sheets
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those of workbooks; others fail in ways of their own
_TOKEN = 2**20  # bytes of one tag; beyond it, somebody wants our memory, and expat would read it again and again
BLOCK = 2**16  # bytes


class Archive:
    """The parts of a workbook. TableError if the archive is damaged, hostile, or comes to more than the source may."""

    def __init__(self, source: Source) -> None:
        self.source = source
        with self.opened() as archive:
            parts = archive.infolist()
            self.names = frozenset(part.filename for part in parts)
            if len(parts) > _ENTRIES or len(self.names) < len(parts):
                raise self._refused("has too many files, or two of one name")
            if sum(part.file_size for part in parts) > source.most:
                raise TableError(
                    source.name, f"unpacks to more than {source.most:,} bytes", "Split it, or raise TYMPAN_MAX_UNPACKED"
                )
            if any(part.flag_bits & 1 for part in parts):
                raise self._refused("has a password", "Save it without one")
            if any(part.compress_type not in _COMPRESSIONS for part in parts):
                raise self._refused("is compressed as no workbook is")
            if any(_leaves(name) for name in self.names):
                raise self._refused("has a file that would lie outside of it")

    @contextmanager
    def opened(self) -> Iterator[zipfile.ZipFile]:
        """The archive, for reading; TableError where it turns out to be damaged."""
        with self.source.open() as file:
            try:
                with zipfile.ZipFile(file) as archive:
                    yield archive
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
                raise self._refused("is a damaged workbook or ZIP archive") from error

    def elements(self, name: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Every element of a small part: its name without prefix, and its attributes, without theirs.

        TableError, as they are taken, if there is no such part, it is not small, or no XML.
        """
        if name not in self.names:
            raise self._refused(f"has no {name}")
        found: list[tuple[str, dict[str, str]]] = []
        parser = Parser(self.source, name)

        def start(element: str, attributes: dict[str, str]) -> None:
            found.append((local(element), {local(key): value for key, value in attributes.items()}))

        parser.expat.StartElementHandler = start
        block = b"begin"
        with self.opened() as archive, archive.open(name) as stream:
            if archive.getinfo(name).file_size > _PART:
                raise self._refused(f"has a {name} of many millions of bytes")
            while block:
                block = stream.read(BLOCK)
                parser.feed(block, final=not block)
                yield from found
                found.clear()

    def _refused(self, problem: str, remedy: str = "Save it anew as XLSX") -> TableError:
        return TableError(self.source.name, problem, remedy)


class Parser:
    """An XML parser that takes no document type, so that no entity can be declared, and no endless tag."""

    def __init__(self, source: Source, part: str) -> None:
        self._source, self._part, self._fed = source, part, 0
        self.expat = expat.ParserCreate()
        self.expat.buffer_text = True
        self.expat.StartDoctypeDeclHandler = self._no_doctype
        self.expat.XmlDeclHandler = self._declared

    def feed(self, block: bytes, *, final: bool = False) -> None:
        try:
            self.expat.Parse(block, final)
        except expat.ExpatError as error:
            raise self._refused("is no well-formed XML") from error
        self._fed += len(block)
        if self._fed - max(self.expat.CurrentByteIndex, 0) > _TOKEN:
            raise self._refused("has a tag that never ends")

    def _no_doctype(self, *_: object) -> None:
        raise self._refused("declares a document type")

    def _declared(self, version: str, encoding: str | None, standalone: int) -> None:
        if (encoding or "utf-8").lower() not in ("utf-8", "us-ascii", "ascii"):
            raise self._refused(f"is encoded as {encoding}")

    def _refused(self, problem: str) -> TableError:
        return TableError(self._source.name, f"its {self._part} {problem}", "Save it anew as XLSX")


def local(name: str) -> str:
    """The name of an element or attribute without its prefix."""
    return name.rpartition(":")[2]


def copied(source: zipfile.ZipFile, part: zipfile.ZipInfo, target: zipfile.ZipFile) -> None:
    """Copy a part as it is, block by block."""
    with source.open(part) as old, target.open(twin(part), "w", force_zip64=part.file_size > 2**30) as new:
        while block := old.read(BLOCK):
            new.write(block)


def twin(part: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """A part of the same name, date and compression."""
    found = zipfile.ZipInfo(part.filename, part.date_time)
    found.compress_type = zipfile.ZIP_STORED if part.compress_type == zipfile.ZIP_STORED else zipfile.ZIP_DEFLATED
    found.external_attr = part.external_attr
    return found


def _leaves(name: str) -> bool:
    return name.startswith(("/", "\\")) or ":" in name or "\0" in name or ".." in name.replace("\\", "/").split("/")
