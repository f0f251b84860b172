"""Which styles of a workbook show a number as a date, and the date that it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from serving.tables.archive import Archive

# The formats that every workbook has: ECMA-376, part 1, 18.8.30, with those of East Asia.
_BUILT_IN = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_ZERO = datetime(1899, 12, 30)  # what a day number counts from, since spreadsheets hold 1900 for a leap year
_ZERO_1904 = datetime(1904, 1, 1)


def date_styles(archive: Archive, part: str | None) -> frozenset[str]:
    """The numbers of the cell styles that show dates, as cells give them."""
    formats, styles, inside = {str(number) for number in _BUILT_IN}, [], False
    for name, attributes in archive.elements(part) if part else ():
        if name == "numFmt" and re.search("[dmyhs]", _LITERAL.sub("", attributes.get("formatCode", "")), re.IGNORECASE):
            formats.add(attributes.get("numFmtId", ""))
        elif name in ("cellXfs", "cellStyles", "dxfs"):
            inside = name == "cellXfs"
        elif name == "xf" and inside:
            styles.append(attributes.get("numFmtId", "0"))
    return frozenset(str(place) for place, number in enumerate(styles) if number in formats)


def date_reader(*, from_1904: bool) -> Callable[[str], str]:
    """A function from a day number to its date in ISO 8601; what is no day number stays as it is."""
    zero = _ZERO_1904 if from_1904 else _ZERO

    def read(number: str) -> str:
        try:
            days = float(number)
            found = zero + timedelta(seconds=round(days * 86_400))
        except (ValueError, OverflowError):  # no number, or none of a day up to the year 9999
            return number
        if days < 0:
            return number
        if days < 1:
            return found.time().isoformat()
        return found.date().isoformat() if days == int(days) else found.isoformat()

    return read
