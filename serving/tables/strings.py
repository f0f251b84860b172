"""The shared strings of a workbook, kept in a temporary file: a million of them take eight megabytes of memory."""

from __future__ import annotations

import mmap
import re
import tempfile
from array import array

from serving.errors import TableError
from serving.tables.archive import BLOCK, Archive, Parser, local

_ESCAPE = re.compile(r"(?:_x[0-9A-Fa-f]{4}_)+")
LONGEST = 2**24  # characters of a cell; a spreadsheet's own limit is 32,767


class SharedStrings:
    """Text by its number. Raises TableError for a number that there is none for."""

    def __init__(self, archive: Archive, part: str | None) -> None:
        self._name = archive.source.name
        self._ends = array("Q", [0])  # bytes
        self._spool = tempfile.TemporaryFile(prefix="tympan-")  # noqa: SIM115 — it lives as long as the workbook
        if part:
            self._read(archive, part)
        self._spool.flush()
        self._texts = mmap.mmap(self._spool.fileno(), 0, access=mmap.ACCESS_READ) if self._ends[-1] else b""

    def __getitem__(self, number: str) -> str:
        try:
            place = int(number)
            start, end = self._ends[place], self._ends[place + 1]
        except (ValueError, IndexError) as error:
            raise TableError(self._name, "has a cell whose text is missing", "Save it anew as XLSX") from error
        return unescaped(self._texts[start:end].decode("utf-8", "surrogatepass"))

    def _read(self, archive: Archive, part: str) -> None:
        parser = Parser(archive.source, part)
        text = Runs(self._name)

        def start(name: str, _: dict[str, str]) -> None:
            text.start(local(name))

        def end(name: str) -> None:
            text.end(local(name))
            if local(name) == "si":
                self._spool.write(text.take().encode("utf-8", "surrogatepass"))
                self._ends.append(self._spool.tell())

        parser.expat.StartElementHandler, parser.expat.EndElementHandler = start, end
        parser.expat.CharacterDataHandler = text.add
        with archive.opened() as opened, opened.open(part) as stream:
            while block := stream.read(BLOCK):
                parser.feed(block)
            parser.feed(b"", final=True)


class Runs:
    """The text of a cell, out of its runs; how it is pronounced (`rPh`) is left out."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._pieces: list[str] = []
        self._length = 0
        self._open = self._aside = False

    def start(self, element: str) -> None:
        self._aside = self._aside or element == "rPh"
        self._open = element in ("t", "v") and not self._aside

    def add(self, text: str) -> None:
        if self._open:
            self._pieces.append(text)
            self._length += len(text)
            if self._length > LONGEST:
                raise TableError(self._name, "has a cell of many millions of letters", "Make it shorter")

    def end(self, element: str) -> None:
        self._open = False
        self._aside = self._aside and element != "rPh"

    def take(self) -> str:
        text = "".join(self._pieces)
        self._pieces, self._length = [], 0
        return text


def unescaped(text: str) -> str:
    """`text` with the letters that XML cannot hold, written `_x000D_` in a workbook."""
    if "_x" not in text:
        return text
    return _ESCAPE.sub(lambda found: bytes.fromhex(re.sub("_x|_", "", found[0])).decode("utf-16-be", "replace"), text)
