"""Dates of exports."""

from __future__ import annotations

import re
import warnings
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.errors import TableError
from serving.tables.dates import FIRST, LAST, Dates
from serving.tables.profile import Profile

MARCH_4 = date(2026, 3, 4)


@pytest.mark.parametrize(
    "cell",
    [
        *("2026-03-04", "2026-03-04T23:30:00Z", "2026-03-04 23:30:00.000", "20260304", " 2026-03-04 "),
        *("2026-03-04 10:32:00 UTC", "2026/03/04 10:00", "1772600000", "1772600000000"),
        *("4 mars 2026 à 10:32", "4 mars 2026 10 h 32", "le 4 mars 2026", "mer. 4 mars 2026", "4 mar. 2026"),
        *("mercoledì 4 marzo 2026 alle ore 10:00", "4 mar 2026", "Mar 4, 2026", "March 4, 2026 10:32 AM CET"),
        *("Wed, 04 Mar 2026 10:32:00 +0000", "Wed Mar 04 10:32:00 +0000 2026"),
    ],
)
def test_a_date_is_read_however_it_is_written(cell: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Dates().read(cell) == MARCH_4


def test_months_are_known_in_three_languages() -> None:
    for cell, month in (
        ("1er août 2026", 8),
        ("3 févr. 2026", 2),
        ("3 déc. 2026", 12),
        ("3 giu 2026", 6),
        ("3 luglio 2026", 7),
    ):
        found = Dates().read(cell)
        assert isinstance(found, date)
        assert found.month == month


@pytest.mark.parametrize(
    "cell",
    [
        *("", "hello", "yesterday", "10:30", "12", "2026", "mars 2026", "31/02/2026", "0/5/2026", "2026-13-45"),
        *(
            "0001-01-01T00:00:00+05:00",
            "31/12/9999",
            "99999999999999999999",
            "1/1/0001",
            "-",
            "\x00",
            "4 mars 2026" * 20,
        ),
    ],
)
def test_what_is_no_date_of_a_mention_is_none(cell: str) -> None:
    assert Dates().read(cell) is None


def test_the_formats_of_the_profile_come_before_all_others() -> None:
    dates = Dates(["%m/%d/%Y %I:%M %p", "%Y.%d.%m"])
    assert [dates.read(cell) for cell in ("03/04/2026 09:10 PM", "2026.04.03", "03/04/2026 09:10 AM")] == [
        *(MARCH_4, MARCH_4, MARCH_4)
    ]


def test_moments_with_a_zone_become_days_of_the_zone_that_is_asked_for() -> None:
    assert Dates().read("2026-03-03T23:30:00-05:00") == MARCH_4
    assert Dates(zone=ZoneInfo("Europe/Zurich")).read("2026-03-03T23:30:00Z") == MARCH_4
    assert Dates(zone=ZoneInfo("Asia/Tokyo")).read("2026-03-04 23:30") == MARCH_4


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        *(("25/3/2026 23:30 -0500", 26), ("25/3/2026 23:30 UTC-05:00", 26), ("25/03/2026 00:30:00 +02:00", 24)),
        *(("25/3/2026 11:30 PM GMT+2", 25), ("25/3/2026T23:30:00Z", 25), ("25/3/2026 23:30", 25)),
        *(("25/3/2026 23:30 EST", 25), ("25/3/2026 25:70 -0500", 25), ("Wed Mar 25 2026 00:30:00 GMT+0100", 24)),
    ],
)
def test_a_zone_behind_a_date_counts_however_the_date_is_written(cell: str, day: int) -> None:
    assert Dates().read(cell) == date(2026, 3, day)


def test_a_zone_behind_a_doubtful_date_counts_once_it_is_settled() -> None:
    for proof, day in (("25/03/2026", date(2026, 3, 5)), ("03/25/2026", date(2026, 4, 4))):
        dates = Dates()
        found = [dates.read(cell) for cell in ("4/3/2026 23:30 -0500", proof)]
        assert dates.settled([one for one in found if one])[0] == day


@pytest.mark.parametrize("form", ["%d %d", "%d/%m", "%-d/%m/%Y", "%", "soon"])
def test_a_format_that_reads_no_day_is_refused_when_the_profile_is_loaded(tmp_path: Path, form: str) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(f'signature = ["a"]\ndate_formats = ["%Y-%m-%dT%H:%M:%S%z", "{form}"]\n[columns]\ntext = ["a"]\n')
    with pytest.raises(TableError, match=re.escape(f"ours.toml: has {form!r} in `date_formats`")):
        Profile.load(str(path))


@pytest.mark.parametrize(("proof", "day_first"), [("25/03/2026", True), ("03/25/2026", False)])
def test_the_order_of_day_and_month_is_settled_by_the_rest_of_the_column(proof: str, day_first: bool) -> None:
    dates = Dates()
    found = [dates.read(cell) for cell in ("04/03/2026 10:00", "03/04/26", proof)]
    assert dates.doubted
    assert dates.day_first is day_first
    days = dates.settled([day for day in found if day is not None])
    assert days[:2] == ([MARCH_4, date(2026, 4, 3)] if day_first else [date(2026, 4, 3), MARCH_4])


@pytest.mark.parametrize(("form", "day_first"), [("{day:02}/03/2026", True), ("03/{day:02}/2026", False)])
def test_without_proof_the_days_lie_close_together(form: str, day_first: bool) -> None:
    dates = Dates()
    for day in range(1, 13):
        dates.read(form.format(day=day))
    assert dates.day_first is day_first


def test_one_date_in_the_other_order_does_not_turn_the_column() -> None:
    dates = Dates()
    cells = ["25/03/2026", "26/03/2026", "04/03/2026", "03/27/2026"]
    days = dates.settled([day for cell in cells if (day := dates.read(cell)) is not None])
    assert [day.month for day in days] == [3, 3, 3, 3]


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading(cell: str) -> None:
    dates = Dates()
    day = dates.read(cell)
    assert day is None or FIRST <= dates.settled([day])[0] < LAST


@given(st.dates(FIRST, date(2099, 12, 31)))
def test_every_day_comes_back_from_iso_8601(day: date) -> None:
    assert Dates().read(day.isoformat()) == day
