"""The tagging of a file, row by row."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.mention import Mention
from model.tagger import Tagger
from model.watchlist import Organisation, Watchlist
from serving.errors import TableError
from serving.exports import Reading, check_output
from serving.exports.engine import Engine
from serving.tables import Table, open_table
from serving.tables.columns import text_column
from tests.serving.files import records, tagged, written


def test_a_row_with_too_many_cells_is_reported_and_the_others_stay_under_their_header(
    tagger: Tagger, tmp_path: Path
) -> None:
    content = b"id;text\n1;panne\n2;merci; vraiment; bien\n3;merci;;\n4\n\n5;annulla\n"
    out, summary = tagged(tagger, written(tmp_path, content))
    rows = records(out, delimiter=";")
    assert [row["tympan_intent"] for row in rows] == ["friction", "", "praise", "", "churn"]
    assert [bool(row["tympan_error"]) for row in rows] == [False, True, False, True, False]
    assert "4 cells where the header has 2" in rows[1]["tympan_error"]
    assert (summary.rows, summary.failed) == (5, 2)
    assert out.splitlines()[5] == b""


def test_a_row_without_text_is_reported_and_the_others_are_tagged(tagger: Tagger, tmp_path: Path) -> None:
    out, summary = tagged(tagger, written(tmp_path, b'text\npanne\n""\n' + b"x" * 20_001 + b"\nmerci\n"))
    assert [row["tympan_intent"] for row in records(out)] == ["friction", "", "", "praise"]
    assert [row["tympan_error"][:20] for row in records(out)] == [
        "",
        "text: is empty. Send",
        "text: has 20,001 cha",
        "",
    ]
    assert summary.failed == 2
    assert len(summary.reasons) == 2


def test_the_order_is_kept_over_many_blocks(tagger: Tagger, tmp_path: Path) -> None:
    words = {"panne": "friction", "merci": "praise", "annulla": "churn", "la": ""}
    lines = [f"{i},{list(words)[i % 4]} {'la ' * (i % 7)}{i}" for i in range(1500)]
    out, _ = tagged(tagger, written(tmp_path, "\n".join(["id,text", *lines]).encode()))
    rows = records(out)
    assert [row["id"] for row in rows] == [str(i) for i in range(1500)]
    assert [row["tympan_intent"] for row in rows] == [list(words.values())[i % 4] for i in range(1500)]


def test_with_a_watchlist_the_target_has_a_column(tagger: Tagger, tmp_path: Path) -> None:
    watched = Watchlist([Organisation("Free"), Organisation("Orange", "competitor")])
    path = written(tmp_path, b"text\nOrange en panne\nFree en panne\n")
    brand, _ = tagged(tagger, path, watchlist=watched, target=watched.brand())
    assert [(r["tympan_target"], r["tympan_intent"]) for r in records(brand)] == [("Free", ""), ("Free", "friction")]
    other, _ = tagged(tagger, path, watchlist=watched, target=watched.get("Orange"))
    assert [(r["tympan_target"], r["tympan_intent"]) for r in records(other)] == [
        ("Orange", "friction"),
        ("Orange", ""),
    ]


def test_a_file_that_was_tagged_before_is_refused(tagger: Tagger, tmp_path: Path) -> None:
    out, _ = tagged(tagger, written(tmp_path, b"text\npanne\n"))
    with pytest.raises(TableError, match="tympan_intent already"):
        tagged(tagger, written(tmp_path, out, "again.csv"))


def table_of(folder: Path, *columns: str) -> Table:
    return open_table(written(folder, (";".join(columns) + "\n").encode()))


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (("id", "date", "message"), "message"),
        (("Snippet", "Full Text", "Title"), "Full Text"),
        (("URL", "Contenu"), "Contenu"),
        (("id", "TESTO"), "TESTO"),
        (("id", "mention_text"), "mention_text"),
        (("only one",), "only one"),
    ],
)
def test_the_column_of_the_text_is_found_by_its_name(tmp_path: Path, columns: tuple[str, ...], found: str) -> None:
    assert text_column(table_of(tmp_path, *columns), None) == found


def test_a_column_is_asked_for_in_any_case_but_its_own_name_comes_first(tmp_path: Path) -> None:
    assert text_column(table_of(tmp_path, "a", "Résumé", "resume"), "resume") == "resume"
    assert text_column(table_of(tmp_path, "a", "Résumé"), "RESUME") == "Résumé"


def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    table = table_of(tmp_path, "id", "body of it")
    for asked in ("text", None):
        with pytest.raises(TableError, match="There are: id, body of it"):
            text_column(table, asked)


def test_an_output_that_cannot_be_is_refused(tmp_path: Path) -> None:
    table = table_of(tmp_path, "id", "text")
    (tmp_path / "link.csv").symlink_to(table.path)
    (tmp_path / "hard.csv").hardlink_to(table.path)
    for name in ("mentions.csv", "./mentions.csv", "link.csv", "hard.csv", "no/out.csv", ".", "out.xlsx", "out.jsonl"):
        with pytest.raises(TableError):
            check_output(table, tmp_path / name)
    check_output(table, tmp_path / "out.csv")
    check_output(table, tmp_path / "out")


def test_every_tag_has_a_column_of_its_probability_if_asked(tagger: Tagger, tmp_path: Path) -> None:
    out, _ = tagged(tagger, written(tmp_path, b'text\npanne\n""\nmerci\n'), scores=True)
    trouble, failed, thanks = records(out)
    scores = [name for name in trouble if name.endswith("_score")]
    assert scores[:2] == ["tympan_intent_purchase_score", "tympan_intent_friction_score"]
    assert len(scores) == len(tagger.taxonomy.labels)
    assert "tympan_topic_service/outage_score" in scores
    assert float(trouble["tympan_intent_friction_score"]) > 0.9 > 0.1 > float(thanks["tympan_intent_friction_score"])
    assert not any(failed[name] for name in scores)


def test_every_role_of_the_watchlist_has_columns_of_who_is_found_and_the_tags_towards_them(
    tagger: Tagger, tmp_path: Path
) -> None:
    watched = Watchlist([Organisation("Free"), Organisation("Orange", "competitor"), Organisation("Sfr", "competitor")])
    content = b"text\nOrange en panne\nFree: merci\nSfr Orange Free\n"
    out, _ = tagged(tagger, written(tmp_path, content), watchlist=watched, target=watched.brand())
    theirs, ours, named = records(out)
    assert (theirs["tympan_target_competitor"], theirs["tympan_target_competitor_intent"]) == ("Orange", "friction")
    assert (theirs["tympan_target_brand"], theirs["tympan_target_brand_intent"]) == ("", "")
    assert (ours["tympan_target_brand"], ours["tympan_target_brand_intent"]) == ("Free", "praise")
    assert sorted(named["tympan_target_competitor"].split("|")) == ["Orange", "Sfr"]


def test_what_was_said_before_is_not_computed_again(tagger: Tagger, tmp_path: Path) -> None:
    engine = Engine(tagger, Reading("text"))
    (first,) = engine.found([("panne", "")])
    assert engine.found([("panne", ""), ("merci", ""), ("PANNE  ", "")])[0] == first
    assert engine.remembered == (3, len({"panne", "merci", tagger.plan([Mention("1", "PANNE  ")]).texts[0]}))
    before = engine.remembered[1]
    engine.found([(f"panne https://example.org/{name}", "") for name in "abc"])
    assert engine.remembered == (6, before + 1)
