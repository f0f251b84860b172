"""What the benchmarks print and write."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.errors import BenchmarkError
from benchmarks.report import END, START, Report, Table, write

REPORT = Report((Table("Speed", ("side", "mentions/s"), (("Tympan", "120"), ("rival", "40"))),), ("On two threads.",))


def test_a_table_is_markdown_with_its_figures_to_the_right() -> None:
    assert REPORT.markdown() == (
        "**Speed**\n\n| side | mentions/s |\n| --- | ---: |\n| Tympan | 120 |\n| rival | 40 |\n\n- On two threads.\n"
    )


def test_the_terminal_shows_every_figure_and_note() -> None:
    screen = io.StringIO()
    REPORT.show(Console(file=screen, width=80))
    shown = screen.getvalue()
    assert all(word in shown for word in ("Tympan", "120", "rival", "40", "On two threads."))


def test_a_file_that_is_not_there_is_written_with_the_report_alone(tmp_path: Path) -> None:
    write(tmp_path / "new" / "speed.md", REPORT.markdown())
    assert (tmp_path / "new" / "speed.md").read_text(encoding="utf-8") == REPORT.markdown()


def test_a_page_keeps_its_words_and_gets_new_figures(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Ours\n\n{START}\nold figures\n{END}\n\nThe end.\n", encoding="utf-8")
    write(page, REPORT.markdown())
    write(page, REPORT.markdown())  # and once more: nothing piles up
    assert page.read_text(encoding="utf-8") == f"# Ours\n\n{START}\n\n{REPORT.markdown()}\n{END}\n\nThe end.\n"


def test_a_page_with_half_of_the_marks_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{START}\nwords that matter\n", encoding="utf-8")
    with pytest.raises(BenchmarkError, match=END):
        write(page, REPORT.markdown())
    assert page.read_text(encoding="utf-8") == f"{START}\nwords that matter\n"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="cannot be written"):
        write(tmp_path, REPORT.markdown())
