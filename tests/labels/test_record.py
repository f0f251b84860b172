"""Records: what is read, what is refused and how it is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labels.errors import RecordError
from labels.record import Record, parse, problems, read, scan, write
from model.mention import MAX_CHARACTERS
from model.watchlist import Organisation
from tests.labels.records import SMALL, lines, record

WHOLE = {
    "id": "r1",
    "text": "Je quitte Acme pour Zenit",
    "lang": "fr",
    "target": "Acme",
    "watchlist": [
        {"name": "Acme", "role": "brand", "aliases": ["@acme"]},
        {"name": "Zenit", "role": "competitor", "aliases": []},
    ],
    "tags": {"mood": ["sad"], "about": ["price/level", "place"]},
    "unsure": {"about": ["place"]},
    "source": "made/test",
    "annotators": ["ann", "bob"],
    "created_at": "2024-05-01T09:30:00Z",
}
PRIVATE = "my private words"


def test_a_whole_record_is_read_and_written_as_it_is() -> None:
    found = parse(json.dumps(WHOLE), SMALL)
    assert found.target == "Acme"
    assert found.watchlist[1] == Organisation("Zenit", "competitor")
    assert found.unsure == {"about": ("place",)}
    assert found.to_dict() == WHOLE
    assert list(found.to_dict()) == list(WHOLE)


def test_what_is_absent_or_null_is_left_out() -> None:
    found = parse('{"id": "a", "text": "b", "tags": {}, "lang": null, "watchlist": null, "annotators": null}', SMALL)
    assert found == Record(id="a", text="b", tags={})
    assert found.to_dict() == {"id": "a", "text": "b", "tags": {}}


def test_an_unlabelled_group_is_not_one_with_no_tags() -> None:
    found = parse('{"id": "a", "text": "b", "tags": {"about": []}}', SMALL)
    assert found.tags == {"about": ()}


def test_former_tag_names_become_present_ones_once_each() -> None:
    row = {"id": "a", "text": "b", "tags": {"mood": ["glad", "happy"], "about": ["cost"]}, "unsure": {"mood": ["glad"]}}
    found = parse(json.dumps(row), SMALL)
    assert found.tags == {"mood": ("happy",), "about": ("price/level",)}
    assert found.unsure == {"mood": ("happy",)}


def test_a_tag_brings_its_ancestors_when_closed() -> None:
    found = record("a", tags={"about": ("price/level", "place")})
    assert found.closed("about") == {"price", "price/level", "place"}
    assert found.closed("mood") == set()


@pytest.mark.parametrize(
    ("change", "field", "problem", "remedy"),
    [
        ({"id": None}, "id", "is missing", 'Add "id"'),
        ({"id": 7}, "id", "is a number", "in quotes"),
        ({"id": " "}, "id", "is empty", "remove the record"),
        ({"text": None}, "text", "is missing", 'Add "text"'),
        ({"text": [PRIVATE]}, "text", "is a list", "in quotes"),
        ({"text": "\u200b \n"}, "text", "is empty", "remove the record"),
        ({"text": "x" * (MAX_CHARACTERS + 1)}, "text", "has 20,001 characters", "20,000"),
        ({"text": PRIVATE + "\ud83d"}, "text", "half a character", "UTF-8"),
        ({"source": "Acme\udc00"}, "source", "half a character", "UTF-8"),
        ({"lang": "French"}, "lang", "is 'French'", "ISO 639-1"),
        ({"lang": ""}, "lang", "is empty", "Remove it"),
        ({"created_at": "yesterday"}, "created_at", "is 'yesterday'", "ISO 8601"),
        ({"target": "Nobody"}, "target", "'Nobody' is not in the watchlist", "Legal: Acme, Zenit"),
        ({"watchlist": {}}, "watchlist", "is no list of organisations", "Write [{"),
        ({"watchlist": ["Acme"]}, "watchlist", "is no list of organisations", "Write [{"),
        ({"watchlist": [{"name": "Acme", "role": "rival"}]}, "watchlist.Acme.role", "is 'rival'", "Legal: brand"),
        ({"watchlist": [{"name": "Acme"}, {"name": "Acme"}]}, "watchlist.Acme", "is listed twice", "Keep one"),
        ({"tags": None}, "tags", "is missing", "empty list"),
        ({"tags": ["sad"]}, "tags", "is a list", 'Write {"GROUP"'),
        ({"tags": {"mood": "sad"}}, "tags.mood", "is no list of tags", 'Write ["TAG"'),
        ({"tags": {"mood": [None]}}, "tags.mood", "is no list of tags", 'Write ["TAG"'),
        ({"tags": {"humour": []}}, "tags", "no group 'humour'", "Legal: mood, about"),
        ({"tags": {"mood": ["angry"]}}, "tags.mood", "no tag 'angry'", "Legal: happy, sad"),
        ({"tags": {"mood": ["happy", "sad"]}}, "tags.mood", "has 2 tags (happy, sad) and is exclusive", "Keep one"),
        ({"unsure": {"about": ["level"]}}, "unsure.about", "no tag 'level'", "price/level"),
        ({"unsure": []}, "unsure", "is a list", 'Write {"GROUP"'),
        ({"annotators": "ann"}, "annotators", "is no list of names", "NAME"),
        ({"label": 1}, "label", "is no field of a record", "Legal: id, text"),
    ],
)
def test_a_fault_is_named_by_line_field_value_and_remedy(
    tmp_path: Path, change: dict[str, Any], field: str, problem: str, remedy: str
) -> None:
    file = lines(tmp_path / "f.jsonl", [WHOLE, "", {**WHOLE, "id": "r2"} | change])
    found = problems(file, SMALL)
    assert [error.where for error in found] == [f"{file}:3: {field}"]
    assert problem in found[0].problem
    assert remedy in found[0].remedy
    assert PRIVATE not in str(found[0])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"id": "my private words", ', "is no JSON at column"),
        ("my private words", "is no JSON at column 1"),
        ('["my private words"]', "is a list"),
        ("[" * 100_000, "nested too deep"),
        ("3", "is a number"),
        ("null", "is null"),
    ],
)
def test_a_line_that_is_no_object_is_named_without_its_text(tmp_path: Path, line: str, problem: str) -> None:
    (error,) = problems(lines(tmp_path / "f.jsonl", [line]), SMALL)
    assert f"{tmp_path / 'f.jsonl'}:1" in error.where
    assert problem in error.problem
    assert PRIVATE not in str(error)


def test_all_problems_are_found_and_the_other_rows_kept(tmp_path: Path) -> None:
    rows = [WHOLE, {"id": 1, "tags": 2}, "{", {**WHOLE, "id": "r2"}]
    reading = scan([lines(tmp_path / "f.jsonl", rows)], SMALL)
    assert [found.id for found in reading.records] == ["r1", "r2"]
    assert [error.where.rpartition("f.jsonl")[2] for error in reading.problems] == [
        ":2: text",
        ":2: id",
        ":2: tags",
        ":3",
    ]
    assert reading.rows == 4


def test_reading_stops_at_the_first_problem_and_counts_the_others(tmp_path: Path) -> None:
    file = lines(tmp_path / "f.jsonl", [WHOLE, "{", {**WHOLE, "id": ""}])
    with pytest.raises(RecordError, match=r"f\.jsonl:2: is no JSON.*1 more: see `tympan labels check`"):
        read(file, SMALL)


def test_an_id_may_stand_once(tmp_path: Path) -> None:
    lines(tmp_path / "a.jsonl", [WHOLE])
    lines(tmp_path / "b.jsonl", [{**WHOLE, "id": "r2"}, WHOLE])
    (error,) = problems(tmp_path, SMALL)
    assert error.where == f"{tmp_path / 'b.jsonl'}:2: id"
    assert error.problem == f"'r1' stands at {tmp_path / 'a.jsonl'}:1 too"


def test_a_folder_is_searched_in_depth_for_jsonl_alone(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    lines(tmp_path / "deep" / "b.jsonl", [{**WHOLE, "id": "b"}])
    lines(tmp_path / "a.jsonl", [{**WHOLE, "id": "a"}])
    lines(tmp_path / "notes.txt", ["no record"])
    assert [found.id for found in read(tmp_path, SMALL)] == ["a", "b"]


def test_a_byte_order_mark_and_unusual_line_breaks_in_texts_do_no_harm(tmp_path: Path) -> None:
    row = json.dumps({**WHOLE, "text": "one\u2028two\x85three"}, ensure_ascii=False)
    (tmp_path / "f.jsonl").write_bytes(b"\xef\xbb\xbf" + row.encode() + b"\r\n\r\n")
    assert [found.text for found in read(tmp_path / "f.jsonl", SMALL)] == ["one\u2028two\x85three"]


def test_a_line_that_is_not_utf8_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_bytes(json.dumps(WHOLE).encode() + b"\n\xff\xfe\n")
    reading = scan([tmp_path / "f.jsonl"], SMALL)
    assert [str(error) for error in reading.problems] == [
        f"{tmp_path / 'f.jsonl'}:2: is no UTF-8 text. Save the file as UTF-8"
    ]
    assert len(reading.records) == 1


def test_a_path_without_records_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordError, match=r"empty: holds no \*\.jsonl file"):
        read(tmp_path / "empty", SMALL)
    with pytest.raises(RecordError, match=r"missing\.jsonl: does not exist"):
        read(tmp_path / "missing.jsonl", SMALL)


def test_a_failed_write_leaves_the_earlier_file_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    write(file, [record("a")])

    def interrupted() -> Any:
        yield record("b")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(file, interrupted())
    assert [found.id for found in read(file, SMALL)] == ["a"]
    assert list(tmp_path.iterdir()) == [file]


def test_a_place_that_cannot_be_written_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for place in (tmp_path / "file" / "f.jsonl", tmp_path):
        with pytest.raises(RecordError, match="cannot be written"):
            write(place, [record("a")])


def test_the_target_and_the_others_are_masked_by_their_tokens() -> None:
    found = parse(json.dumps(WHOLE), SMALL)
    assert found.prepared() == "Je quitte [TARGET] pour [OTHER]"
    assert record("a", "J'aime Acme", target="acme").prepared() == "J'aime [TARGET]"
    assert record("a", "J'aime Acme").prepared() == "J'aime Acme"
