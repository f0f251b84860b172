"""The report as a workbook: a sheet for each of its tables, with every number as a number and every text as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from io import BytesIO
from typing import Any

from xlsxwriter import Workbook

from serving.report.facts import Facts, Kind
from serving.report.view import View
from serving.report.wording import Wording

Cell = str | int | float | date | None
_NAME = 31  # characters of a sheet's name
_KINDS: tuple[Kind, ...] = ("headline", "tag", "level", "owner", "role", "target", "language")


def workbook(facts: Facts, language: str) -> bytes:
    """The XLSX file of a report.

    Texts are written as texts, so that none is run as a formula or becomes a link, whoever wrote it.
    """
    written = BytesIO()
    harmless = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with Workbook(written, harmless) as book:
        sheets = _Sheets(book, facts, Wording(facts, language))
        sheets.volumes()
        sheets.weeks()
        sheets.unusual()
        sheets.obstacles()
        sheets.questions()
        sheets.words()
        sheets.examples()
        sheets.authors()
        sheets.failed()
        sheets.reading()
    return written.getvalue()


class _Sheets:
    """The sheets, each left out if it would be empty."""

    def __init__(self, book: Workbook, facts: Facts, wording: Wording) -> None:
        self._book, self._facts, self._wording, self._say = book, facts, wording, wording.say
        self._view = View(facts, wording)
        self._head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self._text = book.add_format({"text_wrap": True, "valign": "top"})
        self._plain = book.add_format({"valign": "top"})
        self._day = book.add_format({"num_format": "yyyy-mm-dd", "valign": "top", "align": "left"})

    def volumes(self) -> None:
        say, facts, whole = self._say, self._facts, max(self._view.tagged, 1)
        rows: list[Sequence[Cell]] = [(say("all_mentions"), self._view.tagged, 1.0)]
        for kind in _KINDS:
            for name, count in self._view.ranked(kind):
                ends = self._corrected(name) if kind == "tag" else ()
                rows.append((self._wording.thing(kind, name), count, round(count / whole, 4), *ends))
        for group, count in facts.untagged.items():
            title = say("labelled", name=self._wording.group(group), value=say("without"))
            rows.append((title, count, round(count / whole, 4)))
        title = say("corrected")
        more = (title, f"{title} (2.5%)", f"{title} (97.5%)") if facts.corrected else ()
        self._table(say("rows"), (say("kind"), say("rows"), say("share"), *more), rows, wide=(0,))

    def weeks(self) -> None:
        """Every week of what the page draws, and of every tag, with a chart of the first columns."""
        calendar = self._facts.calendar
        if calendar is None:
            return
        things: list[tuple[Kind, str]] = [("all", ""), *((one.kind, one.name) for one in self._facts.standings)]
        drawn = len(things)
        things += [("tag", name) for name, _ in self._view.ranked("tag")]
        counts = [self._view.series(kind, name).weeks or [0] * len(calendar.weeks) for kind, name in things]
        head = [self._say("week"), *(self._wording.thing(kind, name) for kind, name in things)]
        rows: list[Sequence[Cell]] = [(week, *(n[place] for n in counts)) for place, week in enumerate(calendar.weeks)]
        sheet = self._table(self._say("curves"), head, rows)
        chart = self._book.add_chart({"type": "line"})
        last = len(rows)
        for column in range(1, drawn + 1):
            name, weeks = ([sheet.name, *place] for place in ((0, column), (1, 0, last, 0)))
            chart.add_series({"name": name, "categories": weeks, "values": [sheet.name, 1, column, last, column]})
        chart.set_size({"width": 900, "height": 360})
        sheet.insert_chart(last + 2, 0, chart)

    def unusual(self) -> None:
        say = self._say
        rows = [
            (self._wording.thing(one.kind, one.name), one.week, one.rows, one.normal.low, one.normal.high, one.q)
            for one in self._view.unusual()
        ]
        head = (say("kind"), say("week"), say("rows"), say("low"), say("high"), "q")
        self._table(say("unusual"), head, rows, wide=(0,))

    def obstacles(self) -> None:
        say = self._say
        trends = {trend.name: trend for trend in self._facts.trends.trends} if self._facts.trends else {}
        rows: list[Sequence[Cell]] = []
        for name, count in self._view.ranked("obstacle"):
            trend = trends.get(name)
            ends = (trend.ratio, trend.low, trend.high) if trend else (None, None, None)
            rows.append((self._wording.path(name) if name else say("obstacles"), count, *ends))
        head = (say("obstacle"), say("rows"), say("trend"), f"{say('trend')} (2.5%)", f"{say('trend')} (97.5%)")
        self._table(say("obstacles"), head, rows, wide=(0,))

    def questions(self) -> None:
        say = self._say
        rows = [
            (self._wording.path(topic.path) if topic.path else say("other"), one.text, one.rows, one.language)
            for topic in self._facts.questions
            for one in topic.questions
        ]
        self._table(say("question"), (say("topic"), say("question"), say("rows"), say("language")), rows, wide=(1,))

    def words(self) -> None:
        say = self._say
        rows = [
            (self._wording.thing("tag", name), word.text, word.language, word.rows, word.sureness)
            for name, words in self._facts.words.items()
            for word in words
        ]
        head = (say("tag"), say("word"), say("language"), say("rows"), say("sureness"))
        self._table(say("words"), head, rows, wide=(0,))

    def examples(self) -> None:
        say = self._say
        rows = [
            (self._bucket(name), one.row, say("drawn") if one.score is None else say("surest"), one.text, one.language)
            for name, examples in self._facts.examples.items()
            for one in examples
        ]
        head = (say("tag"), say("row", row="").strip(), say("kind"), say("text"), say("language"))
        self._table(say("examples"), head, rows, wide=(0, 3))

    def authors(self) -> None:
        say = self._say
        rows = [
            (one.name, one.reach, one.rows, ", ".join(map(self._wording.tag, one.tags))) for one in self._facts.authors
        ]
        head = (say("author"), say("reach"), say("rows"), self._wording.group(self._facts.shape.lead))
        self._table(say("authors"), head, rows, wide=(3,))

    def failed(self) -> None:
        head = (self._say("reason"), self._say("rows"))
        self._table(self._say("failed"), head, list(self._facts.source.reasons), wide=(0,))

    def reading(self) -> None:
        notes = [note for note in (self._view.other_model(), *self._view.notes(), self._view.corrected_note()) if note]
        self._table(self._say("reading"), (self._say("reading"),), [(note,) for note in notes], wide=(0,))

    def _corrected(self, name: str) -> Sequence[Cell]:
        found = self._facts.corrected.get(name)
        return (found.rows, found.low, found.high) if found else ()

    def _bucket(self, name: str) -> str:
        return self._wording.thing("tag" if "/" in name else "level", name)

    def _table(self, name: str, head: Sequence[str], rows: Iterable[Sequence[Cell]], wide: Sequence[int] = ()) -> Any:  # noqa: ANN401 — xlsxwriter has no types
        """A sheet of a table; none if it has no rows."""
        rows = list(rows)
        if not rows:
            return None
        for letter in "[]:*?/\\'":
            name = name.replace(letter, " ")
        sheet = self._book.add_worksheet(name[:_NAME].strip())
        sheet.freeze_panes(1, 1)
        for column, title in enumerate(head):
            sheet.set_column(column, column, 60 if column in wide else 14)
            sheet.write_string(0, column, title, self._head)
        for place, row in enumerate(rows, start=1):
            for column, cell in enumerate(row):
                self._write(sheet, place, column, cell)
        return sheet

    def _write(self, sheet: Any, place: int, column: int, cell: Cell) -> None:  # noqa: ANN401 — xlsxwriter has no types
        if isinstance(cell, str):
            sheet.write_string(place, column, cell, self._text)
        elif isinstance(cell, date):
            sheet.write_datetime(place, column, cell, self._day)
        elif cell is not None:
            sheet.write_number(place, column, cell, self._plain)
