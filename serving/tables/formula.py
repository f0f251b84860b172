"""Cells that a spreadsheet would run as a formula when it opens delimited text.

The prefix is that of OWASP, CSV Injection: https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

_STARTS = ("=", "+", "-", "@", "\t", "\r")


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would run `cell`; a number with a sign is none."""
    return cell.startswith(_STARTS) and not cell[1:].replace(".", "", 1).replace(",", "", 1).isdigit()


def harmless(cell: str) -> str:
    """`cell` with an apostrophe before it if a spreadsheet would run it."""
    return f"'{cell}" if cell.startswith(_STARTS) else cell
