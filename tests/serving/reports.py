"""Reports of files that are really tagged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model.tagger import Tagger
from model.watchlist import Organisation, Watchlist
from serving.exports import Reading, tag_table
from serving.priority import Priorities
from serving.report import Collector, Facts, Layout, layout_for
from serving.rules import Rules
from serving.tables import open_table
from serving.tables.columns import text_column
from tests.serving.feed import mentions, write_feed

LAYOUT = """
taxonomy = "tiny"
lead = "intent"

[[headline]]
any = ["intent/churn"]
more = "worse"
title = { en = "Leaving", fr = "Départs", it = "Abbandoni" }

[[headline]]
any = ["intent/purchase"]
more = "better"
title = { en = "Buying", fr = "Achats", it = "Acquisti" }

[obstacles]
any = ["intent/friction"]
by = "topic"

[questions]
any = ["intent/purchase"]
by = "topic"
title = { en = "Questions", fr = "Questions", it = "Domande" }
starts = { fr = ["combien"], it = ["quanto"], en = ["how"] }
"""
RULES = """
taxonomy = "tiny"
[default]
level = "low"
reason.en = "Asks for nothing"
owner = "care"
[[rule]]
name = "leaving"
all = ["intent/churn"]
level = "urgent"
reason.en = "Means to leave"
owner = "sales"
[owners.care]
title = { en = "Customer care", fr = "Service client" }
[owners.sales]
title = { en = "Sales", fr = "Ventes" }
"""
WATCHED = Watchlist([Organisation("Nordelia"), Organisation("Tivalo", "competitor")])


def layout(folder: Path, tagger: Tagger, text: str = LAYOUT) -> Layout:
    path = folder / "layout.toml"
    path.write_text(text, encoding="utf-8")
    return layout_for(tagger.taxonomy, path)


def priorities(tagger: Tagger) -> Priorities:
    return Rules.parse(RULES).on(tagger.taxonomy)


def collected(tagger: Tagger, path: Path, laid_out: Layout | None = None, **more: Any) -> Collector:
    """What is collected of a file while it is tagged."""
    table = open_table(path)
    given = {name: more.pop(name) for name in ("watchlist", "target", "priorities", "min_score") if name in more}
    reading = Reading(text_column(table, None), **given)
    collector = Collector(table, tagger.taxonomy, reading, laid_out or layout_for(tagger.taxonomy), **more)
    tag_table(tagger, table, path.with_name(f"tagged-{path.name}"), reading, seen=collector.add)
    return collector


def feed_facts(tagger: Tagger, folder: Path, **more: Any) -> Facts:
    """The report of half a year of invented mentions."""
    path = write_feed(folder / "feed.csv", mentions(a_week=40))
    titles = {name: dict(owner.title) for name, owner in Rules.parse(RULES).owners.items()}
    more = {"watchlist": WATCHED, "target": WATCHED.brand(), "priorities": priorities(tagger), "owners": titles} | more
    return collected(tagger, path, layout(folder, tagger), **more).facts()


def small(folder: Path, *lines: str, name: str = "small.csv") -> Path:
    """A CSV of these lines, the first of them the header."""
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
