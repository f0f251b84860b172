"""Files of mentions: what is read, and that what their owners wrote comes back to the byte."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.language import detect
from model.tagger import Tagger
from model.watchlist import Organisation, Watchlist
from serving.errors import TableError
from serving.tables import CsvTable, JsonlTable, open_table
from tests.serving.files import NEW, records, tagged, written


def test_new_columns_follow_the_old_ones_and_nothing_else_changes(tagger: Tagger, tmp_path: Path) -> None:
    content = 'id,text,note\n1,"panne, ""encore""",  a \n2,"merci\nbien",\n3,la,0012\n'
    out, summary = tagged(tagger, written(tmp_path, content.encode()))
    first, second, third = (
        f"{detect(text)},,{tagger.bundle.version}" for text in ('panne, "encore"', "merci bien", "la")
    )
    assert out.decode().splitlines(keepends=True) == [
        f"id,text,note,{','.join(NEW)}\n",
        f'1,"panne, ""encore""",  a ,friction,service|service/outage,{first}\n',
        '2,"merci\n',
        f'bien",,praise,,{second}\n',
        f"3,la,0012,,,{third}\n",
    ]
    assert (summary.rows, summary.failed) == (3, 0)
    assert summary.tags["intent"] == {"friction": 1, "praise": 1}
    assert summary.untagged == {"intent": 1, "topic": 2}


CELLS = st.text(st.sampled_from("ab ;,|\t\"'\n\r é€🙏"), max_size=8)


@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    last_end=st.booleans(),
)
def test_a_file_comes_back_to_the_byte_when_our_columns_are_cut_off(
    tagger: Tagger,
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    delimiter: str,
    end: str,
    quoting: int,
    encoding: str,
    last_end: bool,
) -> None:
    if (end, quoting) == ("\n", csv.QUOTE_MINIMAL):  # Python's writer forgets to quote a lone "\r" there
        rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(  # type: ignore[arg-type]
        [["id", "text", "date"], *rows]
    )
    content = (text.getvalue() if last_end or not rows else text.getvalue().removesuffix(end)).encode(encoding)
    path = written(tmp_path_factory.mktemp("tables"), content)
    table = open_table(path)
    assert isinstance(table, CsvTable)
    assert (table.delimiter, table.count) == (delimiter, len(rows))
    out, summary = tagged(tagger, path)
    assert summary.rows == len(rows)
    assert all(
        len(cells) == 3 + len(NEW)
        for cells in csv.reader(io.StringIO(out.decode(encoding), newline=""), delimiter=delimiter)
    )
    mark, body = table.encoding.mark, out[len(table.encoding.mark) :].decode(table.encoding.name)
    assert mark + _without_ours(body, table).encode(table.encoding.name) == content


def _without_ours(text: str, table: CsvTable) -> str:
    """`text` with the last five cells of every record cut off, character by character."""
    kept, taken = [], []

    def lines() -> object:
        for line in io.StringIO(text, newline=""):
            taken.append(line)
            yield line

    for _ in csv.reader(lines(), delimiter=table.delimiter):  # type: ignore[arg-type]
        record = "".join(taken)
        taken.clear()
        body = record.rstrip("\r\n")
        kept.append(body.rsplit(table.delimiter, len(NEW))[0] + record[len(body) :])
    return "".join(kept)


def test_a_table_written_with_quotation_marks_everywhere_gets_them_in_our_columns(
    tagger: Tagger, tmp_path: Path
) -> None:
    out, _ = tagged(tagger, written(tmp_path, b'"id";"text"\r\n"1";"panne"\r\n'))
    assert out.startswith(b'"id";"text";"tympan_intent";')
    assert b'"1";"panne";"friction";"service|service/outage";' in out


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        (b"id;date;text\n1;2024;oui, non, merci, bon, ah\n", ";"),
        (b'text;lang\n"il a dit ""oui, non"", puis";fr\nsalut;fr\n', ";"),
        (b'id,text\n1,"a; b; c"\n2,"d; e; f"\n', ","),
        (b"id\ttext\n1\ta, b; c\n", "\t"),
        (b"id|text\n1|a, b; c\n", "|"),
        (b"text\noui\nnon\n", ","),
        ("text\nBonjour, ça va\noui, non; bien\nciao\n".encode(), "\t"),
        (b'"text"\n"a, b"\n"c"\n', ","),
    ],
)
def test_the_delimiter_is_told_from_the_header_and_the_rows(tmp_path: Path, content: bytes, delimiter: str) -> None:
    table = open_table(written(tmp_path, content))
    assert isinstance(table, CsvTable)
    assert table.delimiter == delimiter


TEXT = "Déjà trois semaines d’attente, « ça » coûte 20 € à l’été… È così, perché"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "mac_roman"])
def test_the_encoding_is_told_and_kept(tagger: Tagger, tmp_path: Path, encoding: str) -> None:
    content = f"id;text\r\n1;panne. {TEXT}\r\n2;merci\r\n".encode(encoding)
    out, _ = tagged(tagger, written(tmp_path, content))
    rows = records(out, encoding, ";")
    assert rows[0]["text"] == f"panne. {TEXT}"
    assert [row["tympan_intent"] for row in rows] == ["friction", "praise"]
    assert out[:3] == content[:3]


def test_an_encoding_can_be_said(tmp_path: Path) -> None:
    path = written(tmp_path, "text\né\n".encode("cp1250"))
    assert open_table(path, "cp1250").encoding.name == "cp1250"
    with pytest.raises(TableError, match="nonsense"):
        open_table(path, "nonsense")


def test_utf8_in_which_a_letter_was_cut_stays_utf8_and_keeps_its_bytes(tagger: Tagger, tmp_path: Path) -> None:
    content = "text\npanne déjà été là\n".encode() + b"merci \xc3 \xf0\x9f\n"
    out, _ = tagged(tagger, written(tmp_path, content))
    assert b"merci \xc3 \xf0\x9f,praise," in out
    assert "panne déjà été là,friction,".encode() in out


def test_what_an_encoding_has_no_letter_for_becomes_a_question_mark_in_our_columns(
    tagger: Tagger, tmp_path: Path
) -> None:
    watched = Watchlist([Organisation("Żubr")])
    path = written(tmp_path, "text\npanne déjà\n".encode("cp1252"))
    out, _ = tagged(tagger, path, watchlist=watched, target=watched.get("Żubr"))
    assert records(out, "cp1252")[0]["tympan_target"] == "?ubr"


def test_jsonl_keeps_its_lines_and_gets_new_keys(tagger: Tagger, tmp_path: Path) -> None:
    lines = [
        b'{"id": 1, "text": "panne", "n": 1.50, "u": "\\u00e9"}\r\n',
        b"\n",
        b"{ }\n",
        b"not json\n",
        b"[1, 2]\n",
        b'{"text":null}\n',
        '{"text":"merci à tous {}"} '.encode(),
    ]
    out, summary = tagged(tagger, written(tmp_path, b"".join(lines), "m.jsonl"))
    got = out.splitlines(keepends=True)
    version = tagger.bundle.version.encode()
    first = b'{"id": 1, "text": "panne", "n": 1.50, "u": "\\u00e9", "tympan_intent": "friction", '
    assert got[0] == first + b'"tympan_topic": "service|service/outage", "tympan_lang": "de", "tympan_error": "", ' + (
        b'"tympan_model": "' + version + b'"}\r\n'
    )
    assert [got[1], got[3], got[4]] == [lines[1], lines[3], lines[4]]
    assert json.loads(got[2])["tympan_error"].startswith("text: is empty")
    assert json.loads(got[5])["text"] is None
    assert json.loads(got[6])["tympan_intent"] == "praise"
    assert (summary.rows, summary.failed) == (6, 4)


def test_jsonl_is_known_by_its_first_character_whatever_its_ending(tmp_path: Path) -> None:
    table = open_table(written(tmp_path, b'{"text": "a"}\n{"text": "b", "x": 1}\n', "export.data"))
    assert isinstance(table, JsonlTable)
    assert (table.columns, table.count) == (("text", "x"), 2)


def test_a_header_without_rows_gets_its_columns(tagger: Tagger, tmp_path: Path) -> None:
    out, summary = tagged(tagger, written(tmp_path, b"id,text\n"))
    assert out == f"id,text,{','.join(NEW)}\n".encode()
    assert summary.rows == 0


def test_a_cell_longer_than_the_interpreter_reads_by_default_is_read(tagger: Tagger, tmp_path: Path) -> None:
    out, _ = tagged(tagger, written(tmp_path, b"note,text\n" + b"x" * 200_000 + b",panne\n"))
    assert records(out)[0]["tympan_intent"] == "friction"


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "m.csv", "is empty"),
        (b"\n\n \n", "m.csv", "is empty"),
        (b"\xef\xbb\xbf", "m.csv", "is empty"),
        (b"PK\x03\x04rest of a workbook", "m.xlsx", "workbook"),
        (b"text\n\x00\x01\x02", "m.csv", "binary"),
        (bytes(range(1, 256)) * 8, "m.csv", "binary"),
        (b"\xff\xfet\x00e\x00x\x00t\x00\n", "m.csv", "utf-16"),
        (b'id,text\n1,"never closed\n2,b\n3,c\n', "m.csv", "never ends"),
        (b"[1, 2]", "m.json", "no JSON object"),
        (b"text\na\n", "m.jsonl", "no JSON object"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_line(tmp_path: Path, content: bytes, name: str, said: str) -> None:
    path = written(tmp_path, content, name)
    with pytest.raises(TableError, match=said) as caught:
        open_table(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "name", ["klingon", "idna", "punycode", "undefined", "unicode_escape", "utf-8\0", "base64", "UTF32"]
)
def test_an_encoding_that_no_file_is_in_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TableError, match=r"--encoding: .* is not known"):
        open_table(written(tmp_path, b"text\npanne\n"), name)
