"""Columns found by their names, and the exports of listening tools recognised."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from serving.errors import TableError
from serving.tables import open_table
from serving.tables.columns import column_for, text_column
from serving.tables.names import ROLES, plain
from serving.tables.profile import FOLDER, Profile, shipped
from tests.serving.files import written

EXPORTS = {
    "agorapulse": "Publishing date,Publishing time,Message,Link,Reach",
    "brandwatch": "Query Id,Query Name,Date,Title,Snippet,Url,Domain,Full Text,Author,Language,Reach (new),Page Type",
    "hootsuite": "Message ID,Conversation ID,Medium,Channel,Contact Primary Identifier,Created at,Direction,Content",
    "mentionlytics": "ID,Channel,Category,Profile,Language,Followers/Rank,Date,Title,Content,Tracker,Keyword,Link",
    "sprout-social": "Date,Post ID,Network,Post Type,Content Type,Profile,Sent by,Link,Post,Impressions",
    "talkwalker": "url,published,title,content,lang,source_type,extra_author_attributes.name,reach,engagement",
}
FOUND = {
    "agorapulse": {"text": "Message", "date": "Publishing date", "reach": "Reach"},
    "brandwatch": {"text": "Full Text", "date": "Date", "author": "Author", "reach": "Reach (new)", "lang": "Language"},
    "hootsuite": {"text": "Content", "date": "Created at", "author": "Contact Primary Identifier", "id": "Message ID"},
    "mentionlytics": {"text": "Content", "date": "Date", "author": "Profile", "reach": "Followers/Rank", "id": "ID"},
    "sprout-social": {"text": "Post", "date": "Date", "author": "Profile", "id": "Post ID", "source": "Network"},
    "talkwalker": {"text": "content", "date": "published", "author": "extra_author_attributes.name", "lang": "lang"},
}
BEFORE = b"Report:,Mentions\nFrom:,2024-11-01\nTo:,2024-11-30\n\n"


def test_every_profile_that_ships_is_tried_here() -> None:
    assert [profile.name for profile in shipped()] == sorted(EXPORTS)


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_recognised_by_its_header(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, f"{EXPORTS[name]}\n".encode() + b",".join([b"x"] * (EXPORTS[name].count(",") + 1)) + b"\n")
    table = open_table(path)
    assert table.profile
    assert table.profile.name == name
    found = {"text": text_column(table, None), **{role: column_for(table, role) for role in ROLES if role != "text"}}
    assert FOUND[name].items() <= found.items()


@pytest.mark.parametrize("name", EXPORTS)
def test_every_profile_says_where_its_names_come_from(name: str) -> None:
    assert "# Where the names come from: " in (FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def test_rows_before_the_header_are_found_in_text_and_in_workbooks(tmp_path: Path) -> None:
    table = open_table(written(tmp_path, BEFORE + EXPORTS["brandwatch"].encode() + b"\n1,x,d,t,s,u,o,panne\n"))
    assert (table.columns[7], table.count) == ("Full Text", 1)
    assert next(table.rows()).cells["Full Text"] == "panne"
    book = openpyxl.Workbook()
    for line in (BEFORE.decode() + EXPORTS["brandwatch"] + "\n1,x,d,t,s,u,o,panne").split("\n"):
        book.active.append(line.split(","))
    book.save(tmp_path / "m.xlsx")
    table = open_table(tmp_path / "m.xlsx")
    assert (table.columns[7], table.count) == ("Full Text", 1)
    assert next(table.rows()).cells["Full Text"] == "panne"


def test_a_profile_of_ones_own_is_given_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'signature = ["Quoi", "Quand"]\nbefore = 5\n[columns]\ntext = ["Quoi"]\ndate = ["Quand"]\n', encoding="utf-8"
    )
    path = written(tmp_path, b"ceci;est;un titre\nQuand;QUOI;text\n2024;panne;x\n")
    table = open_table(path, profile=str(tmp_path / "mine.toml"))
    assert (text_column(table, None), column_for(table, "date"), table.count) == ("QUOI", "Quand", 1)
    assert table.profile
    assert table.profile.title == "mine"
    with pytest.raises(TableError, match=r"has no header of profile 'mine'\. It would have: Quoi, Quand"):
        open_table(written(tmp_path, b"a;b\n1;2\n", "other.csv"), profile=str(tmp_path / "mine.toml"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("signature = [", "is no TOML"),
        ('signature = ["a"]', "no column of the text"),
        ('[columns]\ntext = ["a"]', "no signature"),
        ('signature = "a"\n[columns]\ntext = ["a"]', "lists of names"),
        ('signatur = ["a"]', "has a key 'signatur'. Legal: before"),
        ('signature = ["a"]\n[columns]\ntext = ["a"]\nmood = ["b"]', "has a column for 'mood'. Legal: text"),
        ('signature = ["a"]\nbefore = "x"\n[columns]\ntext = ["a"]', "no number in `before`"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "mine.toml").write_text(content, encoding="utf-8")
    with pytest.raises(TableError, match=said):
        Profile.load(str(tmp_path / "mine.toml"))


def test_a_profile_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(TableError, match="one of: agorapulse, brandwatch"):
        Profile.load("nothing")


def test_known_names_are_plain_and_stand_for_one_role(tmp_path: Path) -> None:
    names = [(role, name) for role, all_names in ROLES.items() for name in all_names]
    assert all(plain(name) == name for _, name in names)
    assert len({name for _, name in names}) == len(names)
