"""What is normal for a week: held against what is known of the distributions, and against simulated weeks."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom, poisson

from model.tagger import Tagger
from serving.report import Facts, ReportError, read, write
from serving.report.facts import Calendar, Series
from serving.report.heavy import Heavy
from serving.report.normal import Expected, Weeks, unusual
from serving.report.standing import trends
from serving.report.words import Words, log_odds
from tests.serving.feed import START, mentions, write_feed
from tests.serving.reports import LAYOUT, WATCHED, collected, feed_facts, layout, priorities, small


def calendar(weeks: int, *, first_days: int = 7, last_days: int = 7) -> Calendar:
    mondays = [START + timedelta(7 * week) for week in range(weeks)]
    return Calendar(
        column="date",
        zone="UTC",
        order=None,
        first=mondays[0] + timedelta(7 - first_days),
        last=mondays[-1] + timedelta(last_days - 1),
        read=1,
        unread=0,
        outside=0,
        weeks=mondays,
        covered=[first_days, *[7] * (weeks - 2), last_days],
    )


def series(weeks: list[int]) -> Series:
    return Series(rows=sum(weeks), weeks=weeks)


def test_without_dispersion_it_is_the_prediction_of_the_gamma_poisson_model() -> None:
    rows = [10, 11, 9, 10, 10, 10]  # more even than chance
    interval = Expected.by(Weeks(rows, [7] * 6), [7]).interval(0)
    law = nbinom(sum(rows) + 0.5, 6 / 7)
    assert (interval.low, interval.high) == (law.ppf(0.025), law.ppf(0.975))
    assert interval.expected == pytest.approx(60.5 / 6, abs=0.01)


def test_weeks_that_vary_more_than_chance_make_more_normal() -> None:
    even = Expected.by(Weeks([20] * 10, [7] * 10), [7]).interval(0)
    uneven = Expected.by(Weeks([5, 35] * 5, [7] * 10), [7]).interval(0)
    assert uneven.low < even.low < even.high < uneven.high


def test_a_week_in_part_is_expected_to_have_fewer() -> None:
    whole, part = (Expected.by(Weeks([70] * 8, [7] * 8), [days]).interval(0) for days in (7, 2))
    assert part.expected == pytest.approx(whole.expected * 2 / 7, abs=0.01)


@pytest.mark.parametrize("rate", [0.7, 4.0, 60.0])
def test_of_weeks_by_chance_alone_about_one_in_twenty_is_outside(rate: float) -> None:
    chance = np.random.default_rng(5)
    outside = total = 0
    for _ in range(150):
        rows = chance.poisson(rate, 16).tolist()
        expected = Expected.by_the_others(Weeks(rows, [7] * 16))
        for place, count in enumerate(rows):
            normal = expected.interval(place)
            outside += not normal.low <= count <= normal.high
            total += 1
    assert outside / total <= 0.065


def test_chance_alone_is_seldom_called_unusual_and_a_jump_is_found() -> None:
    chance = np.random.default_rng(7)
    false = 0
    for _ in range(60):
        counted = {f"g/t{tag}": series(chance.poisson(tag + 2, 20).tolist()) for tag in range(20)}
        everything = {"all": {"": series([10_000] * 20)}, "tag": counted}
        found, tests = unusual(everything, calendar(20), None)
        false += bool(found)
        assert tests == 20 * 21
    assert false <= 6
    counted["g/t9"].weeks[12] += 30
    found, _ = unusual({"all": {"": series([10_000] * 20)}, "tag": counted}, calendar(20), None)
    assert ("g/t9", START + timedelta(7 * 12)) in {(one.name, one.week) for one in found}


def test_a_trend_is_clear_only_if_it_is_more_than_chance() -> None:
    counted = {
        "g/rising": series([10] * 8 + [30] * 4),
        "g/falling": series([30] * 8 + [8] * 4),
        "g/steady": series([9, 11] * 6),
        "g/peak": series([10] * 11 + [60]),
        "g/rare": series([0] * 11 + [3]),
    }
    found = trends(counted, calendar(12))
    assert found
    assert (found.late_weeks, found.before_weeks) == (4, 4)
    by_name = {trend.name: trend for trend in found.trends}
    assert set(by_name) == {"g/rising", "g/falling", "g/steady", "g/peak"}
    assert found.trends[0].name == "g/rising"
    assert by_name["g/rising"].low > 1 > by_name["g/falling"].high
    assert by_name["g/steady"].low < 1 < by_name["g/steady"].high
    assert by_name["g/peak"].low < 1  # one week is no trend
    assert by_name["g/rising"].ratio == pytest.approx(120.5 / 40.5, abs=0.01)


def test_weeks_in_part_are_in_no_trend() -> None:
    counted = {"g/tag": series([10] * 9 + [1])}
    found = trends(counted, calendar(10, last_days=1))
    assert found
    assert found.trends[0].late == found.trends[0].before == 40


def test_words_are_marked_as_by_the_formula_of_monroe_and_others() -> None:
    count, total, other, other_total = 30, 400, 20, 3_600
    prior = 500 * 50 / 4_000
    ratio = np.log((count + prior) / (total + 500 - count - prior))
    ratio -= np.log((other + prior) / (other_total + 500 - other - prior))
    assert log_odds(count, total, other, other_total) == pytest.approx(
        ratio / np.sqrt(1 / (count + prior) + 1 / (other + prior))
    )
    assert log_odds(5, 5, 7, 7) == 0.0


def test_a_word_that_no_other_bucket_has_outranks_one_that_all_have_among_millions_of_words() -> None:
    exclusive = log_odds(50, 20_000, 0, 3_000_000)
    shared = log_odds(150, 20_000, 15_000, 3_000_000)  # half as often again as elsewhere
    assert exclusive > shared > 2.6


def test_counts_that_are_too_low_break_no_words_of_a_rare_language() -> None:
    words = Words()
    for number in range(2_000):
        words.add([f"w{number}-{place}" for place in range(60)], "fr", ["g/a"])
    for number in range(40):
        words.add(["raro", f"altro{number}"], "it", ["g/b"] if number < 5 else ["g/a"])
    assert words._all.error > 0
    assert all(math.isfinite(word.sureness) for found in words.marking().values() for word in found)


@given(st.lists(st.integers(0, 40), max_size=400), st.integers(1, 12))
def test_counts_of_many_things_are_bounded_and_wrong_by_no_more_than_they_say(things: list[int], room: int) -> None:
    heavy: Heavy[int] = Heavy(room)
    for thing in things:
        heavy.see((thing,))
        assert len(heavy) <= 2 * room
    true = Counter(things)
    assert all(true[thing] - heavy.error <= heavy[thing] <= true[thing] for thing in true)
    assert heavy.error <= len(things) / room


def test_words_and_authors_without_end_need_no_more_room_than_some(tagger: Tagger, tmp_path: Path) -> None:
    chance = Random(1)  # noqa: S311  no secret
    lines = []
    for number in range(2_500):
        words = " ".join(f"w{chance.randrange(10**9)}" for _ in range(60))
        lines.append(f"@a{chance.randrange(10**9)},{number},panne {words}")
    collector = collected(tagger, small(tmp_path, "author,reach,text", *lines))
    held = collector.words._buckets  # how much is held is nobody's to know but this test's
    assert max(map(len, held.values())) <= 4_000 < 60 * len(lines)
    assert len(collector.words._all) <= 100_000
    assert collector.facts().authors[0].reach == 2_499


def earlier_and_later(tagger: Tagger, folder: Path) -> tuple[Facts, Path]:
    """The report of the first weeks, and the file of those after."""
    rows = list(mentions(a_week=40))
    cut = next(place for place, row in enumerate(rows) if row[0][3:5] == "06")
    reading = {"watchlist": WATCHED, "target": WATCHED.brand(), "priorities": priorities(tagger)}
    path = write_feed(folder / "earlier.csv", rows[:cut])
    earlier = collected(tagger, path, layout(folder, tagger), **reading).facts()
    return earlier, write_feed(folder / "later.csv", rows[cut:])


def test_an_earlier_report_says_what_is_normal_for_a_file_of_few_weeks(tagger: Tagger, tmp_path: Path) -> None:
    earlier, path = earlier_and_later(tagger, tmp_path)
    write(tmp_path / "earlier.json", earlier)
    reading = {"watchlist": WATCHED, "target": WATCHED.brand(), "priorities": priorities(tagger)}
    alone = collected(tagger, path, layout(tmp_path, tagger), **reading).facts()
    assert alone.comparison is None
    assert alone.standings[0].verdict is None
    given = read(tmp_path / "earlier.json")
    found = collected(tagger, path, layout(tmp_path, tagger), earlier=given, **reading).facts()
    assert found.comparison
    assert found.comparison.file == "earlier.csv"
    assert ("topic/service/outage", date(2026, 6, 29)) in {(one.name, one.week) for one in found.unusual}
    assert found.standings[0].verdict == "above"


def test_weeks_that_both_reports_have_are_judged_by_the_others_alone(tagger: Tagger, tmp_path: Path) -> None:
    facts = feed_facts(tagger, tmp_path)
    again = feed_facts(tagger, tmp_path, earlier=facts)
    assert again.comparison is None
    assert again.unusual == []


@pytest.mark.parametrize(("before", "said"), [("older-1", True), ("newer-2", False), ("", False)])
def test_that_another_model_tagged_the_earlier_file_is_said(
    tagger: Tagger, tmp_path: Path, before: str, said: bool
) -> None:
    earlier, path = earlier_and_later(tagger, tmp_path)
    old = earlier.model_copy(update={"source": earlier.source.model_copy(update={"model": before})})
    reading = {"watchlist": WATCHED, "target": WATCHED.brand(), "priorities": priorities(tagger)}
    found = collected(tagger, path, layout(tmp_path, tagger), earlier=old, model="newer-2", **reading).facts()
    expected = "earlier.csv was tagged by the model older-1, this file by newer-2"
    for form in ("html", "xlsx"):
        write(tmp_path / f"report.{form}", found)
    assert (expected in (tmp_path / "report.html").read_text(encoding="utf-8")) is said
    sheets = openpyxl.load_workbook(tmp_path / "report.xlsx").worksheets
    cells = [str(cell.value) for sheet in sheets for row in sheet.rows for cell in row]
    assert any(expected in cell for cell in cells) is said


def test_an_earlier_report_that_cannot_be_compared_is_refused_at_the_start(tagger: Tagger, tmp_path: Path) -> None:
    facts = feed_facts(tagger, tmp_path)
    path = small(tmp_path, "date,text", "2026-07-10,panne")
    undated = facts.model_copy(update={"calendar": None})
    other = facts.model_copy(update={"taxonomy": facts.taxonomy.model_copy(update={"id": "moods@2"})})
    watched = {"watchlist": WATCHED, "target": WATCHED.brand()}
    for earlier, reading, said in (
        (other, watched, r"is of the tag set moods@2, and the model's is tiny@1\.0"),
        (facts, {}, r"is towards Nordelia, and this file towards nobody"),
        (facts, {**watched, "min_score": 0.9}, r"has a --min-score of 0\.0, and this file one of 0\.9"),
        (undated, watched, r"has 0 weeks with dates"),
    ):
        with pytest.raises(ReportError, match=f"^--baseline: the report of feed.csv: {said}"):
            collected(tagger, path, earlier=earlier, **reading)
    assert not (tmp_path / "tagged-small.csv").exists()


def test_the_interval_is_that_of_poisson_where_much_is_known() -> None:
    interval = Expected.by(Weeks([9, 10, 11, 10] * 250, [7] * 1000), [7]).interval(0)
    law = poisson(10)
    assert (interval.low, interval.high) == (law.ppf(0.025), law.ppf(0.975))
    assert all(a <= b for a, b in pairwise((0, interval.low, interval.high)))


def test_a_figure_that_the_earlier_report_did_not_have_is_not_judged_by_it(tagger: Tagger, tmp_path: Path) -> None:
    earlier, path = earlier_and_later(tagger, tmp_path)
    other = layout(tmp_path, tagger, LAYOUT.replace('"intent/churn"', '"intent/churn", "intent/friction"', 1))
    reading = {"watchlist": WATCHED, "target": WATCHED.brand(), "priorities": priorities(tagger)}
    found = collected(tagger, path, other, earlier=earlier, **reading).facts()
    assert [one.verdict for one in found.standings] == [None, "normal", "above"]


def test_what_an_earlier_report_had_and_a_file_lacks_has_fallen_to_nothing(tagger: Tagger, tmp_path: Path) -> None:
    before = [f"2026-{month:02}-{day:02},panne je résilie" for month in (1, 2, 3) for day in range(1, 29)]
    after = [f"2026-05-{day:02},merci" for day in range(4, 25)]
    laid_out = layout(tmp_path, tagger)
    earlier = collected(tagger, small(tmp_path, "date,text", *before), laid_out).facts()
    later = small(tmp_path, "date,text", *after, name="later.csv")
    found = collected(tagger, later, laid_out, earlier=earlier).facts()
    gone = {(one.kind, one.name) for one in found.unusual if one.rows == 0}
    assert {("tag", "intent/churn"), ("tag", "intent/friction"), ("headline", "intent/churn")} <= gone
    leaving, buying = found.standings
    assert (leaving.in_week, leaving.verdict) == (0, "below")
    assert (buying.in_week, buying.verdict) == (0, "normal")  # though neither file has any
