"""The page of a report as its readers see it, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FloatRect, Page, expect, sync_playwright

from model.quantify import Corrected
from model.tagger import Tagger
from model.watchlist import Organisation, Watchlist
from serving.report import LANGUAGES, Event, Facts, write
from serving.report.view import View
from serving.report.wording import Wording, phrases
from tests.serving.feed import OUTAGE, write_feed
from tests.serving.reports import collected, feed_facts, layout, small

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'--><svg onload=alert(3)>{{ 7*7 }}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def facts(tagger: Tagger, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    folder = tmp_path_factory.mktemp("feed")
    return feed_facts(tagger, folder, events=[Event(day=OUTAGE, title="Une panne")])


def opened(browser: Browser, path: Path, *, width: int = 1280) -> tuple[Page, list[str]]:
    """A page, and what happens on it that must not: requests of others, dialogs, and what the console says."""
    happened: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.set_default_timeout(120_000)  # a busy machine must not fail it
    page.on("request", lambda request: happened.extend({request.url} - {path.as_uri()}))
    page.on("dialog", lambda dialog: (happened.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: happened.append(message.text))
    page.goto(path.as_uri())
    return page, happened


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_speaks_its_readers_language_and_asks_nobody_else(
    browser: Browser, facts: Facts, tmp_path: Path, language: str
) -> None:
    path = tmp_path / "report.html"
    write(path, facts, language=language)  # type: ignore[arg-type]
    page, happened = opened(browser, path)
    assert happened == []
    assert page.locator("html").get_attribute("lang") == language
    title = {
        "fr": "Ce qu’on dit de Nordelia",
        "it": "Che cosa si dice di Nordelia",
        "en": "What people say of Nordelia",
    }
    expect(page.get_by_role("heading", level=1)).to_have_text(title[language])
    for heading in ("unusual", "obstacles", "curves", "pressing", "targets", "languages", "authors", "reading"):
        expect(page.get_by_role("heading", level=2, name=phrases()[heading][language], exact=True)).to_be_visible()
    first = {"fr": "Départs", "it": "Abbandoni", "en": "Leaving"}
    card = page.locator("article.card").first
    expect(card).to_contain_text(first[language])
    expect(card).to_contain_text(phrases()["above"][language])
    expect(page.get_by_text(phrases()["reading_counts"][language])).to_be_visible()
    assert page.get_by_text("≈").count() == 0  # of a bundle that was not tested nothing is corrected


def test_the_first_screen_says_what_matters(browser: Browser, facts: Facts, tmp_path: Path) -> None:
    write(tmp_path / "report.html", facts, language="fr")
    page, _ = opened(browser, tmp_path / "report.html")
    cards = page.locator("article.card")
    assert cards.count() == len(facts.standings)
    for place, standing in enumerate(facts.standings):
        box = cards.nth(place).bounding_box()
        assert box
        assert box["y"] + box["height"] <= 800
        expect(cards.nth(place).locator(".figure")).to_contain_text(str(standing.in_week))
    expect(page.get_by_role("heading", name="Ce qui sort de l’ordinaire")).to_be_in_viewport()


def test_topics_open_down_to_their_leaves_with_words_and_examples(
    browser: Browser, facts: Facts, tmp_path: Path
) -> None:
    write(tmp_path / "report.html", facts, language="en")
    page, _ = opened(browser, tmp_path / "report.html")
    example = page.get_by_text(facts.examples["topic/price/level"][0].text, exact=True).first
    expect(example).to_be_hidden()
    section = page.locator("section", has=page.get_by_role("heading", name="Topics"))
    section.locator("summary", has_text="price").first.click()
    leaf = section.locator("summary", has_text="price/level")
    expect(leaf).to_be_visible()
    leaf.click()
    expect(section.locator(".words", has_text="expensive").first).to_be_visible()
    expect(section.locator("blockquote").locator("visible=true").first).to_be_visible()


@pytest.fixture(scope="module")
def mended(facts: Facts) -> Facts:
    """The same, with corrected counts of all tags but one, as long as those of a file of millions of rows."""
    counts = dict.fromkeys(facts.series["tag"], Corrected(1_234_567, 1_000_000, 2_000_000))
    return facts.model_copy(update={"corrected": {**counts, "intent/purchase": None}})


@pytest.mark.parametrize("language", LANGUAGES)
def test_corrected_counts_stand_beside_the_raw_ones_and_one_sentence_says_what_they_are(
    browser: Browser, mended: Facts, tmp_path: Path, language: str
) -> None:
    write(tmp_path / "report.html", mended, language=language)  # type: ignore[arg-type]
    page, happened = opened(browser, tmp_path / "report.html")
    assert happened == []
    expect(page.get_by_text(phrases()["corrected_note"][language])).to_be_visible()
    view = View(mended, Wording(mended, language))
    line = page.locator("summary", has=page.get_by_text("churn", exact=True))
    expect(line.locator(".n").first).to_have_text(view.number(mended.series["tag"]["intent/churn"].rows))
    count, low, high = map(view.number, (1_234_567, 1_000_000, 2_000_000))
    between = {"fr": f"{low} à {high}", "it": f"da {low} a {high}", "en": f"{low} to {high}"}[language]
    expect(line.locator(".corrected")).to_have_text(f"≈ {count} ({between})")
    purchase = page.locator("summary", has=page.get_by_text("purchase", exact=True))
    expect(purchase.locator(".corrected")).to_have_text("≈ –")


def test_corrected_counts_fit_beside_or_under_the_raw_ones(browser: Browser, mended: Facts, tmp_path: Path) -> None:
    write(tmp_path / "report.html", mended, language="it")
    page, _ = opened(browser, tmp_path / "report.html")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    for width in (320, 390, 700, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for line in page.locator(".tree.corrects > summary").all():
            boxes = [part.bounding_box() for part in line.locator("> *").all()]
            assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
            assert not any(_overlap(one, other) for one, other in combinations(filter(None, boxes), 2))


def _overlap(one: FloatRect, other: FloatRect) -> bool:
    return all(
        one[start] + 0.5 < other[start] + other[size] and other[start] + 0.5 < one[start] + one[size]
        for start, size in (("x", "width"), ("y", "height"))
    )


def test_roles_have_their_volumes_and_the_top_counts_what_was_tagged_and_dated(
    browser: Browser, facts: Facts, tagger: Tagger, tmp_path: Path
) -> None:
    write(tmp_path / "report.html", facts, language="en")
    page, _ = opened(browser, tmp_path / "report.html")
    row = page.locator("tr", has=page.get_by_text("competitor", exact=True)).last
    expect(row).to_contain_text(f"{facts.series['role']['competitor'].rows:,}")
    lines = ["2026-03-02,panne", "2026-03-03,merci", "soon,merci", '2026-03-04,""']
    write(tmp_path / "small.html", collected(tagger, small(tmp_path, "date,text", *lines)).facts())
    page, _ = opened(browser, tmp_path / "small.html")
    expect(page.locator("header")).to_contain_text("2 mentions from 2 March 2026 to 3 March 2026")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_cut_off_on_a_phone(browser: Browser, facts: Facts, tmp_path: Path, width: int) -> None:
    write(tmp_path / "report.html", facts, language="it")
    page, _ = opened(browser, tmp_path / "report.html", width=width)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_curves_have_a_text_for_who_cannot_see_them_and_no_id_twice(
    browser: Browser, facts: Facts, tmp_path: Path
) -> None:
    write(tmp_path / "report.html", facts, language="en")
    page, _ = opened(browser, tmp_path / "report.html")
    drawn = page.locator("figure svg")
    assert drawn.count() >= 1 + len(facts.standings)
    label = drawn.nth(1).get_attribute("aria-label")
    assert label
    assert re.match(r"Leaving, by week: from \d+ to \d+; \d+ in the last week, which begins on 29 June 2026\.", label)
    assert all(one.get_attribute("role") == "img" for one in page.locator("svg").all())
    ids = page.locator("[id]").evaluate_all("found => found.map(one => one.id)")
    assert len(ids) == len(set(ids))
    page.get_by_text("The numbers").click()
    assert page.locator(".numbers tbody tr").locator("visible=true").count() == 26
    expect(page.locator("ol.events")).to_contain_text("Une panne")


def test_a_page_can_be_printed_with_all_that_it_hides(browser: Browser, facts: Facts, tmp_path: Path) -> None:
    write(tmp_path / "report.html", facts, language="en")
    page, _ = opened(browser, tmp_path / "report.html")
    leaf = page.locator("summary", has_text="price/level").first
    seen = "one => one.checkVisibility({contentVisibilityAuto: true})"
    assert not leaf.evaluate(seen)
    page.emulate_media(media="print")
    assert leaf.evaluate(seen)
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_texts_of_others_are_shown_and_never_run(browser: Browser, tagger: Tagger, tmp_path: Path) -> None:
    watched = Watchlist([Organisation(EVIL), Organisation("Tivalo", "competitor")])
    days = [date(2026, 1, 5) + timedelta(place) for place in range(80)]
    rows = [[day.isoformat(), EVIL, "9", f"panne {day} comment acheter {EVIL} ?"] for day in days]
    path = tmp_path / "<img src=x onerror=alert(4)>.csv"
    write_feed(path, [*rows, ["2026-03-01", "a", "1", ""]], ["date", "author", "reach", "text"])
    events = [Event(day=days[40], title=EVIL)]
    made = collected(
        tagger, path, layout(tmp_path, tagger), watchlist=watched, target=watched.brand(), events=events
    ).facts()
    assert made.source.reasons
    reasons = made.source.model_copy(update={"reasons": [(EVIL, 1)]})
    write(tmp_path / "report.html", made.model_copy(update={"source": reasons}), language="fr")
    page, happened = opened(browser, tmp_path / "report.html")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.wait_for_timeout(200)
    assert happened == []
    assert page.locator("script, img, iframe, object, [onerror], [onload]").count() == 0
    for place in ("h1", "ol.events", "blockquote", "td"):
        assert page.locator(place, has_text="<script>alert(2)</script>").count() >= 1, place
    assert "49" not in page.locator("h1").inner_text()


def test_without_dates_the_page_says_so_and_has_no_curves(browser: Browser, tagger: Tagger, tmp_path: Path) -> None:
    for header, said in (("when,text", "no column of dates"), ("date,text", "No date could be read")):
        facts = collected(tagger, small(tmp_path, header, *["soon,panne"] * 3)).facts()
        write(tmp_path / "report.html", facts)
        page, happened = opened(browser, tmp_path / "report.html")
        assert happened == []
        expect(page.get_by_text(said)).to_be_visible()
        assert page.locator("svg").count() == 0


def test_few_weeks_are_not_drawn_and_not_judged(browser: Browser, tagger: Tagger, tmp_path: Path) -> None:
    lines = [f"2026-03-{day:02},panne" for day in range(2, 12)]
    write(tmp_path / "report.html", collected(tagger, small(tmp_path, "date,text", *lines)).facts())
    page, _ = opened(browser, tmp_path / "report.html")
    expect(page.get_by_text("The dates span too few weeks to draw curves.")).to_be_visible()
    expect(page.get_by_text("Too few weeks to say what is normal.")).to_be_visible()
    assert page.locator("svg").count() == 0


def test_every_phrase_is_there_in_every_language_with_the_same_parts() -> None:
    for name, said in phrases().items():
        assert set(said) == set(LANGUAGES), name
        parts = {language: sorted(re.findall(r"\{\w+\}", text)) for language, text in said.items()}
        assert parts["fr"] == parts["it"] == parts["en"], name
