"""A JSON array of objects, read and written an element at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TextIO

from serving.errors import TableError
from serving.tables.jsonl import LONGEST, JsonTable, json_row
from serving.tables.table import Row

_BLOCK = 2**16  # characters
_BLANK = re.compile(r"[ \t\n\r]*")


class ArrayTable(JsonTable):
    """A JSON array. What stands between its elements, and around them, is passed on as it is."""

    format = "JSON"
    apart = False
    problem = "Make an array of objects"

    def rows(self) -> Iterator[Row]:
        with self.encoding.open(self.source, newline="") as file:
            text = _Text(file, self.source.name)
            yield Row(text.take(text.mark("[")), blank=True)
            number = 0
            while not text.is_next("]"):
                if number:
                    yield Row(text.take(text.mark(",")), blank=True)
                number += 1
                record, end = text.value(number)
                yield json_row(text.take(end), record, self.problem)
            yield Row(text.take(text.mark("]")), blank=True)
            yield Row(text.rest(), blank=True)


class _Text:
    """A text that is read as far as is needed, and taken piece by piece."""

    def __init__(self, file: TextIO, name: str) -> None:
        self._file, self._name = file, name
        self._held, self._at, self._ended = "", 0, False
        self._decoder = json.JSONDecoder()

    def take(self, end: int) -> str:
        taken, self._at = self._held[self._at : end], end
        return taken

    def is_next(self, letter: str) -> bool:
        place = self._blank()
        return self._held.startswith(letter, place)

    def mark(self, letter: str) -> int:
        """Where the text goes on behind blanks and `letter`; TableError if something else stands there."""
        place = self._blank()
        if not self._held.startswith(letter, place):
            raise TableError(self._name, f"is no JSON array: {letter!r} is missing", "Make it valid JSON")
        return place + 1

    def value(self, number: int) -> tuple[object, int]:
        """The next value and where it ends; TableError if it is no JSON."""
        where = f"{self._name}: row {number}"
        while True:
            place = self._blank()
            try:
                found, end = self._decoder.raw_decode(self._held, place)
                if end < len(self._held) or self._ended:  # a number may go on in the next block
                    return found, end
            except RecursionError as error:
                raise TableError(where, "is nested too deeply", "Make it flat") from error
            except ValueError as error:
                if self._ended or len(self._held) - self._at > LONGEST:
                    raise TableError(where, "is no JSON", "Make it valid JSON") from error
            self._more()

    def rest(self) -> str:
        """What stands behind the array; TableError if it is more than blanks."""
        place = self._blank()
        if place < len(self._held):
            raise TableError(self._name, "goes on behind the end of its array", "Give one array alone")
        return self.take(place)

    def _blank(self) -> int:
        """Where the next letter stands that is no blank."""
        while True:
            found = _BLANK.match(self._held, self._at)
            place = found.end() if found else self._at
            if place < len(self._held) or self._ended:
                return place
            if place - self._at > LONGEST:
                raise TableError(self._name, "is blank for millions of letters", "Make it valid JSON")
            self._more()

    def _more(self) -> None:
        """Read on: as much again as there is, so that a long value is not tried too often."""
        self._held, self._at = self._held[self._at :], 0
        block = self._file.read(max(_BLOCK, len(self._held)))
        self._held += block
        self._ended = not block
