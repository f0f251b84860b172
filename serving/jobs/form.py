"""A form with a file, `multipart/form-data`, read as it comes: the file goes where it is to be, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from email.message import Message  # which knows filename*, of RFC 6266

from fastapi.exceptions import RequestValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from serving.errors import MediaTypeError, RequestTooLargeError

_MOST_FIELDS = 20
_MOST_BYTES = 2**20  # of all fields together


class Form:
    """A form that is fed with bytes: `fields` by name, and the bytes of its only file given to `write`."""

    def __init__(self, content_type: str, write: Callable[[bytes], None]) -> None:
        """MediaTypeError if the content type has no boundary."""
        self.fields: dict[str, str] = {}
        self.file: str | None = None
        """The name that the file has in the form; None while it has not begun."""
        self._write, self._whole, self._size = write, False, 0
        self._header, self._value, self._disposition = b"", b"", b""
        self._field: str | None = None
        self._data = bytearray()
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise MediaTypeError("content-type", "has no boundary", "Let your library write it")
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._on_header,
                    "on_header_value": self._on_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers,
                    "on_part_data": self._on_data,
                    "on_part_end": self._on_end,
                    "on_end": self._on_whole,
                },
            )
        except FormParserError as error:
            raise self._damaged() from error

    def feed(self, block: bytes) -> None:
        """Read on. MediaTypeError if it is no form, RequestTooLargeError if it has too much but the file.

        RequestValidationError if it has a field twice.
        """
        try:
            self._parser.write(block)
        except FormParserError as error:
            raise self._damaged() from error

    def close(self) -> None:
        """To be called at its end; MediaTypeError if that came too early, or there was no file."""
        if not self._whole:
            raise self._damaged()
        if self.file is None:
            raise MediaTypeError("form", "has no file", "Send the file as a part with a file name")

    def _begin(self) -> None:
        self._disposition, self._field, self._data = b"", None, bytearray()

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _on_headers(self) -> None:
        options = parse_options_header(self._disposition)[1]
        if b"filename" in options:
            if self.file is not None:
                raise RequestTooLargeError("form", "has more than one file", "Make a job for each")
            self.file = options[b"filename"].decode(errors="replace")
            return
        self._field = options.get(b"name", b"").decode(errors="replace")
        if self._field in self.fields:
            raise RequestValidationError(
                [{"type": "value_error", "loc": ("body", self._field), "msg": "Is given twice"}]
            )
        if len(self.fields) >= _MOST_FIELDS:
            raise RequestTooLargeError("form", f"has more than {_MOST_FIELDS} fields", "Leave out what is no option")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._write(data[start:end])
            return
        self._size += end - start
        if self._size > _MOST_BYTES:
            raise RequestTooLargeError(
                "form", f"has fields of more than {_MOST_BYTES:,} bytes", "Shorten the watchlist"
            )
        self._data += data[start:end]

    def _on_end(self) -> None:
        if self._field is not None:
            self.fields[self._field] = self._data.decode(errors="replace")

    def _on_whole(self) -> None:
        self._whole = True

    def _damaged(self) -> MediaTypeError:
        return MediaTypeError("form", "is cut short, or is no multipart/form-data", "Send it again")


def file_name(disposition: str) -> str | None:
    """The name in a Content-Disposition; None if it has none that can be read."""
    header = Message()
    with suppress(UnicodeError):  # many send UTF-8 as it is, which arrives as Latin-1
        disposition = disposition.encode("latin-1").decode()
    header["content-disposition"] = disposition
    try:
        return header.get_filename()
    except (ValueError, TypeError):  # what `email` raises for charsets such as idna, and for parts numbered badly
        return None
