"""The files of a report: JSON, which can be read again, a page, or a workbook, by the ending of the name."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Literal, get_args

from pydantic import ValidationError

from labels.extra import library
from serving.errors import TableError
from serving.exports import written_aside
from serving.report.errors import ReportError
from serving.report.facts import Facts

Language = Literal["fr", "it", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
_NEEDED = {
    ".json": ("dateutil.parser", "scipy.stats", "wordfreq", "babel"),  # the terminal speaks the reader's language
    ".html": ("dateutil.parser", "scipy.stats", "wordfreq", "babel", "jinja2", "matplotlib"),
    ".xlsx": ("dateutil.parser", "scipy.stats", "wordfreq", "babel"),
}
"""Ending → the libraries of the extra `report` that such a report takes."""
_LARGEST = 2**26
"""Bytes of a report that is read: one of a million rows has some hundred thousand."""


def check(path: Path) -> None:
    """Raise ReportError if no report can be written to `path`, and ExtraError if a library for it is missing.

    It is for the start, so that nobody tags for an hour and has no report then.
    """
    if path.suffix.lower() not in _NEEDED:
        problem = f"ends with {path.suffix!r}" if path.suffix else "has no ending"
        raise ReportError(f"--report: {path.name}", problem, f"Write one of: {', '.join(_NEEDED)}")
    if not path.parent.is_dir():
        raise ReportError(f"--report: {path.parent}", "is no folder", "Make it first, or choose another")
    if path.is_dir():
        raise ReportError(f"--report: {path}", "is a folder", "Give a file's name")
    try:
        NamedTemporaryFile(dir=path.parent, prefix=".").close()
    except OSError as error:
        problem = f"cannot be written to: {error.strerror}"
        raise ReportError(f"--report: {path.parent}", problem, "Choose another folder") from error
    for name in _NEEDED[path.suffix.lower()]:
        library(name, extra="report")


def read(path: Path) -> Facts:
    """The report in a JSON file; ReportError if it is none, or of another version."""
    where = f"--baseline: {path.name}"
    remedy = "Give what --report wrote to a name that ends with .json"
    try:
        if path.stat().st_size > _LARGEST:
            raise ReportError(where, f"is larger than {_LARGEST:,} bytes", remedy)
        text = path.read_bytes()
    except OSError as error:
        raise ReportError(where, f"cannot be read: {error.strerror}", remedy) from error
    try:
        return Facts.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        problem = f"is no report of this version: {at}: {first['msg']}" if at else "is no JSON"
        raise ReportError(where, problem, remedy) from error


def write(path: Path, facts: Facts, *, language: Language = "en") -> None:
    """Write a report, aside first: whole, or not there. JSON is the same in every language.

    ReportError if `path` cannot be written.
    """
    check(path)
    content = _content(path.suffix.lower(), facts, language)
    try:
        with written_aside(path) as file:
            file.write(content)
    except TableError as error:
        raise ReportError(f"--report: {error.where}", error.problem, error.remedy) from error


def _content(suffix: str, facts: Facts, language: Language) -> bytes:
    if suffix == ".json":
        return facts.model_dump_json(indent=1).encode()
    if suffix == ".xlsx":
        from serving.report.workbook import workbook  # noqa: PLC0415 — takes libraries that JSON does not

        return workbook(facts, language)
    from serving.report.page import page  # noqa: PLC0415 — as above

    return page(facts, language).encode()
