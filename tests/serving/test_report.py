"""What a report counts, of files that are really tagged."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from model.bundle import PRETRAINED, Bundle
from model.tagger import Tagger
from model.taxonomy import Taxonomy
from serving.report import Event, Facts, ReportError, layout_for
from serving.report.layout import SHIPPED, Layout
from serving.report.questions import Questions
from serving.report.view import View
from serving.report.wording import Wording
from tests.bundles import keyword_bundle
from tests.serving.feed import OUTAGE, mentions, write_feed
from tests.serving.reports import LAYOUT, collected, feed_facts, layout, small


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def facts(tagger: Tagger, folder: Path) -> Facts:
    return feed_facts(tagger, folder, events=[Event(day=OUTAGE, title="An outage")])


@pytest.fixture(scope="module")
def tagged(facts: Facts, folder: Path) -> list[dict[str, str]]:
    """The rows of the tagged file, from which the report can be counted again."""
    assert facts.source.rows
    with (folder / "tagged-feed.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_volumes_are_those_of_the_tagged_file(facts: Facts, tagged: list[dict[str, str]]) -> None:
    assert facts.source.rows == len(tagged)
    for column, kind, prefix in (
        ("tympan_intent", "tag", "intent/"),
        ("tympan_topic", "tag", "topic/"),
        ("tympan_priority", "level", ""),
        ("tympan_owner", "owner", ""),
        ("tympan_lang", "language", ""),
        ("tympan_target_competitor", "target", "Tivalo"),
    ):
        again = Counter(part for row in tagged for part in row[column].split("|") if part)
        counted = {name: series.rows for name, series in facts.series[kind].items() if name.startswith(prefix)}
        assert counted == {f"{prefix if kind == 'tag' else ''}{name}": rows for name, rows in again.items()}
    assert facts.untagged["intent"] == sum(not row["tympan_intent"] for row in tagged)


def test_weeks_are_those_of_the_tagged_file(facts: Facts, tagged: list[dict[str, str]]) -> None:
    assert facts.calendar
    leaving = [row["Date"] for row in tagged if "churn" in row["tympan_intent"]]
    days = [datetime.strptime(moment, "%d/%m/%Y %H:%M").date() for moment in leaving]
    again = Counter((day - date(2026, 1, 5)).days // 7 for day in days)
    assert facts.series["tag"]["intent/churn"].weeks == [again[week] for week in range(26)]
    assert facts.calendar.weeks[0] == date(2026, 1, 5)
    assert facts.calendar.order == "day"
    assert len(facts.calendar.weeks) == 26
    assert all(sum(series.weeks) == series.rows for kind in facts.series.values() for series in kind.values())


def test_obstacles_are_the_topics_of_the_rows_in_which_something_is_in_the_way(
    facts: Facts, tagged: list[dict[str, str]]
) -> None:
    obstacles = [row["tympan_topic"].split("|") for row in tagged if "friction" in row["tympan_intent"].split("|")]
    again = Counter(f"topic/{topic}" for topics in obstacles for topic in topics if topic)
    counted = {name: series.rows for name, series in facts.series["obstacle"].items()}
    assert counted == {"": len(obstacles), **again}


def test_the_outage_is_out_of_the_ordinary_and_stands_at_the_top(facts: Facts) -> None:
    last = date(2026, 6, 29)
    assert ("tag", "topic/service/outage", last) in {(one.kind, one.name, one.week) for one in facts.unusual}
    leaving, buying, urgent = facts.standings
    assert (leaving.verdict, leaving.week) == ("above", last)
    assert buying.verdict == "normal"
    assert (urgent.kind, urgent.name, urgent.verdict) == ("level", "urgent", "above")
    shown = View(facts, Wording(facts, "en")).unusual()
    assert ("topic/service/outage", last) in {(one.name, one.week) for one in shown}
    assert not [one for one in shown if one.name == "topic/service"]  # the tag below it says more
    assert not [one for one in shown if one.kind == "headline"]  # its tag says as much
    assert len([one for one in shown if one.week != last]) <= 1


def test_a_headline_is_out_of_the_ordinary_though_tags_below_it_say_more(tagger: Tagger, tmp_path: Path) -> None:
    other = layout(tmp_path, tagger, LAYOUT.replace('"intent/churn"', '"topic/service"', 1))
    found = collected(tagger, write_feed(tmp_path / "feed.csv", mentions(a_week=40)), other).facts()
    view = View(found, Wording(found, "en"))
    assert 25 in view.strange("headline", "topic/service")
    assert "topic/service" not in {one.name for one in view.unusual()}


def test_memory_for_days_is_that_of_weeks(tagger: Tagger, tmp_path: Path) -> None:
    days = [date(2020, 1, 6) + timedelta(place) for place in range(700)]
    collector = collected(tagger, small(tmp_path, "date,text", *[f"{day},panne" for day in days]))
    held = collector.tally._counts["tag"]  # how much is held is nobody's to know but this test's
    assert max(map(len, held.values())) == 100
    assert collector.facts().series["tag"]["intent/friction"].weeks == [7] * 100


def test_questions_of_frequent_words_alone_stay_apart() -> None:
    questions = Questions({})
    for text in ("How much is it?", "When can I get it?", "What is it?", "How is it?", "How much is it?"):
        questions.add(text, "en", ())
    (topic,) = questions.grouped()
    assert {(one.text, one.rows) for one in topic.questions} == {
        *(("How much is it?", 2), ("When can I get it?", 1), ("What is it?", 1), ("How is it?", 1))
    }


def test_the_words_that_mark_a_tag_are_those_that_raise_it(facts: Facts) -> None:
    words = {tag: {word.text for word in words} for tag, words in facts.words.items()}
    assert {"panne", "guasto", "outage"} <= words["topic/service/outage"]
    assert {"cher", "caro", "expensive"} <= words["topic/price/level"]
    every = set().union(*words.values())
    assert not every & {"nordelia", "the", "que", "di", "https", "@nordelia_aide", "nordelia_aide"}


def test_questions_are_grouped_and_none_is_asked_that_is_no_question(facts: Facts) -> None:
    texts = [question.text for topic in facts.questions for question in topic.questions]
    assert any("engagement de douze mois" in text for text in texts)
    assert len([text for text in texts if "engagement de douze mois" in text]) == 1  # wherever it was asked
    assert all("?" in text or text.lower().startswith(("combien", "quanto", "how")) for text in texts)


def test_examples_are_unlike_each_other_and_are_rows_of_the_file(facts: Facts, tagged: list[dict[str, str]]) -> None:
    for bucket, examples in facts.examples.items():
        assert 1 <= len(examples) <= 6, bucket
        assert len({example.text for example in examples}) == len(examples)
        for example in examples:
            assert " ".join(tagged[example.row - 1]["Full Text"].split()) == example.text
    scores = [example.score for example in facts.examples["intent/churn"] if example.score]
    assert scores == sorted(scores, reverse=True)


def test_the_same_file_gives_the_same_report_and_another_seed_other_examples(tagger: Tagger, tmp_path: Path) -> None:
    assert feed_facts(tagger, tmp_path) == feed_facts(tagger, tmp_path)
    one, other = (feed_facts(tagger, tmp_path, seed=seed).examples for seed in (0, 1))
    drawn = [[example.row for example in found["intent/praise"] if example.score is None] for found in (one, other)]
    assert drawn[0] != drawn[1]


def test_authors_are_ranked_by_reach(facts: Facts, tagged: list[dict[str, str]]) -> None:
    widest = max(int(row["Followers"].replace(" ", "")) for row in tagged)
    assert facts.authors[0].reach == widest
    assert facts.authors[0].rows == sum(row["Author"] == facts.authors[0].name for row in tagged)


def test_towards_whom_is_told_apart(facts: Facts, tagged: list[dict[str, str]]) -> None:
    rows = [row for row in tagged if "Tivalo" in row["tympan_target_competitor"]]
    again = Counter(tag for row in rows for tag in row["tympan_target_competitor_intent"].split("|") if tag)
    assert {tag: n for tag, n in facts.towards["Tivalo"].items() if tag.startswith("intent/")} == {
        f"intent/{tag}": count for tag, count in again.items()
    }
    assert facts.shape.roles == {"Nordelia": "brand", "Tivalo": "competitor"}


def test_failed_rows_are_counted_with_their_reasons(tagger: Tagger, tmp_path: Path) -> None:
    path = small(tmp_path, "date,text", "2026-03-02,panne", '2026-03-02,""', "2026-03-03,merci", "x,merci", "1,2,3")
    facts = collected(tagger, path).facts()
    assert (facts.source.rows, facts.source.failed) == (5, 2)
    assert sum(rows for _, rows in facts.source.reasons) == 2
    assert facts.calendar
    assert (facts.calendar.read, facts.calendar.unread) == (2, 1)


def test_without_dates_there_are_no_weeks_and_all_else_is_there(tagger: Tagger, tmp_path: Path) -> None:
    for header, cell in (("quand,text", "2026-03-02"), ("date,text", "some day")):
        facts = collected(tagger, small(tmp_path, header, *[f"{cell},panne"] * 9)).facts()
        assert facts.calendar is None
        assert facts.comparison is None
        assert facts.unusual == []
        assert facts.series["tag"]["intent/friction"].rows == 9
        assert facts.source.date_column == ("date" if "date" in header else "")


def test_a_date_far_from_all_others_stretches_no_curve(tagger: Tagger, tmp_path: Path) -> None:
    lines = [f"2026-03-{day:02},panne" for day in range(1, 29)]
    facts = collected(tagger, small(tmp_path, "date,text", "1999-01-01,panne", *lines)).facts()
    assert facts.calendar
    assert (facts.calendar.first, facts.calendar.outside) == (date(2026, 3, 1), 1)
    assert facts.series["tag"]["intent/friction"].rows == 29


def test_another_tag_set_has_a_plain_report(tmp_path: Path) -> None:
    moods = Taxonomy.parse('name = "moods"\nversion = "1"\n[groups.mood.tags.glad]\n[groups.mood.tags.cross]\n')
    words = {"mood/glad": ("merci", "grazie", "thanks"), "mood/cross": ("panne", "guasto", "outage")}
    tagger = Tagger.load(keyword_bundle(tmp_path / "moods", taxonomy=moods, words=words), threads=1)
    facts = collected(tagger, write_feed(tmp_path / "feed.csv", mentions(a_week=20, weeks=8))).facts()
    assert facts.shape.obstacles is None
    assert facts.questions == []
    assert {(one.kind, one.name) for one in facts.standings} == {("tag", "mood/glad"), ("tag", "mood/cross")}
    view = View(facts, Wording(facts, "en"))
    above = [one.model_copy(update={"verdict": "above"}) for one in facts.standings]
    assert {view.tone(one) for one in above} == {"plain"}
    assert "panne" in {word.text for word in facts.words["mood/cross"]}


def test_the_layout_that_ships_is_right_for_the_tag_set_that_ships() -> None:
    taxonomy = Bundle.read(PRETRAINED).taxonomy
    found = layout_for(taxonomy)
    assert found == layout_for(taxonomy, SHIPPED)
    assert len(found.headline) == 3
    for part in (*found.headline, found.questions):
        assert part
        assert set(part.title) == {"fr", "it", "en"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'taxonomy = "tiny"',
            'taxonomy = "listening"',
            "layout.toml: taxonomy: is 'listening', and the model's tag set is",
        ),
        ('"intent/churn"', '"intent/chrun"', "layout.toml: no tag 'chrun'. Legal: purchase"),
        ('by = "topic"', 'by = "theme"', "layout.toml: no group 'theme'"),
        ("more =", "mroe =", "layout.toml: headline.0."),
        ('"worse"', '"bad"', "layout.toml: headline.0.more"),
        (
            'lead = "intent"',
            'lead = "intent"\nzone = "Europe/Nowhere"',
            "layout.toml: zone: Value error, is no time zone",
        ),
        ('lead = "intent"', "lead = ", "layout.toml: is not TOML"),
    ],
)
def test_a_mistake_in_a_layout_is_one_clear_line(tagger: Tagger, tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ReportError) as error:
        layout(tmp_path, tagger, LAYOUT.replace(old, new, 1))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_layout_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"none\.toml: cannot be read"):
        Layout.load(tmp_path / "none.toml")
