"""`tympan labels import`: what `tympan tag` wrote with the model that ships comes back corrected, as records."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow.parquet
import pytest
from click.testing import Result
from typer.testing import CliRunner

from labels.feedback.records import gather
from labels.record import Record, read
from labels.task import key
from model.mention import Mention
from model.taxonomy import DEFAULT, Taxonomy
from tests.labels.corrections import correction
from tympan import app

TAGS = Taxonomy.load(DEFAULT)
TEXTS = ["Je résilie, trop cher.", "Merci beaucoup 🙂 !", "La box est encore\nen panne.", "", "Grazie mille!"]
Rows = list[dict[str, str]]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def imported(tagged: Path, *arguments: str | Path) -> tuple[Result, dict[str, Record]]:
    """What `tympan labels import` says, and its records by text."""
    output = tagged.with_name("records.jsonl")
    output.unlink(missing_ok=True)
    result = run("labels", "import", tagged, "-o", output, *arguments)
    return result, {record.text: record for record in read(output, TAGS)} if output.exists() else {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mentions as `tympan tag` wrote them, in each format, with a watchlist and without."""
    folder = tmp_path_factory.mktemp("tagged")
    rows = [{"id": f"m{number}", "text": text, "checked": ""} for number, text in enumerate(TEXTS, start=1)]
    with (folder / "m.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "text", "checked"])
        writer.writeheader()
        writer.writerows(rows)
    (folder / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    book = openpyxl.Workbook()
    for line in [list(rows[0]), *(list(row.values()) for row in rows)]:
        book.active.append(line)
    book.save(folder / "m.xlsx")
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "m.parquet")
    for ending in ("csv", "jsonl", "xlsx", "parquet"):
        assert run("tag", folder / f"m.{ending}", "-o", folder / f"tagged.{ending}").exit_code == 1  # one is empty
    return folder


def test_tags_in_a_list_are_read_as_those_between_bars(tmp_path: Path) -> None:
    rows = [
        {"text": "Je résilie, trop cher.", "tympan_intent": ["churn", "friction"]},
        {"text": "Merci beaucoup !", "tympan_intent": []},
    ]
    (tmp_path / "lists.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    table = pyarrow.Table.from_pylist(rows)
    large = table.set_column(1, "tympan_intent", table.column(1).cast(pyarrow.large_list(pyarrow.string())))
    pyarrow.parquet.write_table(table, tmp_path / "lists.parquet")
    pyarrow.parquet.write_table(large, tmp_path / "large.parquet")
    for name in ("lists.jsonl", "lists.parquet", "large.parquet"):
        result, found = imported(tmp_path / name)
        assert result.exit_code == 0, result.output
        assert [record.tags for record in found.values()] == [{"intent": ("friction", "churn")}, {"intent": ()}]


@pytest.fixture
def tagged(folder: Path, tmp_path: Path) -> Path:
    """The CSV, to be changed."""
    return shutil.copy(folder / "tagged.csv", tmp_path / "mine.csv")


def rows_of(path: Path) -> Rows:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


def rewrite(path: Path, change: Callable[[Rows], object], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    """The file as a spreadsheet's program writes it anew, after a person's change."""
    rows = rows_of(path)
    change(rows)
    with path.open("w", encoding=encoding, errors="replace", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, quoting=csv.QUOTE_MINIMAL)
        writer.writeheader()
        writer.writerows(rows)
    return path


def corrected(rows: Rows) -> None:
    """The first has one intent less, the third another topic, in a person's own spelling."""
    rows[0]["tympan_intent"] = " Churn "
    rows[2]["tympan_topic"] = "Service / Outage | PRICE"


def test_only_rows_that_differ_from_the_original_become_records(folder: Path, tagged: Path) -> None:
    rewrite(tagged, corrected)
    result, records = imported(tagged, "--original", folder / "tagged.csv", "--who", "ann")
    assert result.exit_code == 0, result.output
    assert list(records) == [TEXTS[0], TEXTS[2]]
    first, third = records.values()
    assert first.tags["intent"] == ("churn",)
    assert set(third.tags["topic"]) == {"service/outage", "price"}
    assert (first.annotators, first.source, first.lang, first.target) == (("ann",), "spreadsheet", "fr", None)
    assert "2 records, 2 rows not looked at, 1 without text or tags, 0 left out" in result.stdout
    assert "own answers" not in result.output


def test_a_record_has_the_id_that_a_correction_over_http_has(tagged: Path, folder: Path) -> None:
    rewrite(tagged, corrected)
    _, records = imported(tagged, "--original", folder / "tagged.csv")
    (same,) = gather([correction(text=TEXTS[0], group="intent", tags=("churn",))], TAGS).records
    assert records[TEXTS[0]].id == same.id == key(Mention("", TEXTS[0]))


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(";", "cp1252"), ("\t", "utf-16"), (";", "utf-8-sig")], ids=["1252", "utf-16", "bom"]
)
def test_another_delimiter_encoding_and_order_of_rows_change_nothing(
    folder: Path, tagged: Path, delimiter: str, encoding: str
) -> None:
    def sorted_too(rows: Rows) -> None:
        corrected(rows)
        rows[1]["tympan_intent"] = "suggestion"  # its emoji is none of Windows-1252
        rows.reverse()

    rewrite(tagged, sorted_too, delimiter=delimiter, encoding=encoding)
    result, records = imported(tagged, "--original", folder / "tagged.csv")
    assert result.exit_code == 0, result.output
    assert set(records) == set(TEXTS[:3])
    assert records[TEXTS[1]].tags["intent"] == ("suggestion",)


def test_a_workbook_that_was_corrected_and_saved_comes_back(folder: Path, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(folder / "tagged.xlsx")
    names = [cell.value for cell in book.active[1]]
    book.active.cell(2, 1 + names.index("tympan_intent")).value = "churn"
    book.active.cell(3, 1 + names.index("tympan_intent")).value = None
    book.save(tmp_path / "mine.xlsx")
    result, records = imported(tmp_path / "mine.xlsx", "--original", folder / "tagged.xlsx")
    assert result.exit_code == 0, result.output
    assert {text: record.tags["intent"] for text, record in records.items()} == {TEXTS[0]: ("churn",), TEXTS[1]: ()}


def test_json_lines_and_parquet_come_back(folder: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (folder / "tagged.jsonl").read_text(encoding="utf-8").splitlines()]
    lines[0]["tympan_intent"] = "churn"
    del lines[1]["tympan_intent"], lines[1]["tympan_topic"]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    result, records = imported(tmp_path / "mine.jsonl", "--original", folder / "tagged.jsonl")
    assert (result.exit_code, list(records)) == (0, [TEXTS[0]])
    assert "2 without text or tags" in result.stdout

    table = pyarrow.parquet.read_table(folder / "tagged.parquet")
    place = table.column_names.index("tympan_topic")
    values = pyarrow.array(["", *table.column(place).to_pylist()[1:-1], "price"])
    pyarrow.parquet.write_table(table.set_column(place, "tympan_topic", values), tmp_path / "mine.parquet")
    result, records = imported(tmp_path / "mine.parquet", "--original", folder / "tagged.parquet")
    assert result.exit_code == 0, result.output
    assert {text: record.tags["topic"] for text, record in records.items()} == {TEXTS[0]: (), TEXTS[4]: ("price",)}


def test_without_the_original_all_rows_count_and_that_is_said_aloud(tagged: Path) -> None:
    result, records = imported(tagged)
    assert (result.exit_code, len(records)) == (0, 4)
    assert "would teach the model its own answers" in result.stderr
    assert "--original" in result.stderr
    assert "--only-column" in result.stderr


def test_rows_that_are_marked_count_and_with_the_original_those_that_differ_as_well(folder: Path, tagged: Path) -> None:
    def marked(rows: Rows) -> None:
        corrected(rows)
        for row, mark in zip(rows, ("", "ok", "", "x", "FALSE"), strict=True):
            row["checked"] = mark

    rewrite(tagged, marked)
    result, records = imported(tagged, "--only-column", "Checked")
    assert (result.exit_code, list(records)) == (0, [TEXTS[1]])
    assert "own answers" not in result.output
    _, records = imported(tagged, "--only-column", "Checked", "--original", folder / "tagged.csv")
    assert list(records) == TEXTS[:3]


def test_an_unknown_tag_is_told_without_the_text_and_the_other_rows_are_written(folder: Path, tagged: Path) -> None:
    def mistaken(rows: Rows) -> None:
        corrected(rows)
        rows[1]["tympan_intent"] = "prise"
        rows[4]["tympan_topic"] = "Grazie mille! Davvero un servizio splendido."

    rewrite(tagged, mistaken)
    result, records = imported(tagged, "--original", folder / "tagged.csv")
    assert (result.exit_code, list(records)) == (1, [TEXTS[0], TEXTS[2]])
    assert "row 2: tympan_intent: no tag 'prise'. Legal: purchase, friction, churn, help" in result.stderr
    assert "row 5: tympan_topic: no tag of 44 characters. Legal: " in result.stderr
    assert "2 left out" in result.stdout
    assert not any(text[:6] in result.output for text in TEXTS if text)


def test_rows_of_one_text_that_say_different_things_are_told_and_left_out(tagged: Path) -> None:
    def twice(rows: Rows) -> None:
        rows += [dict(rows[1]), {**rows[0], "tympan_intent": "help"}]

    result, records = imported(rewrite(tagged, twice))
    assert (result.exit_code, list(records)) == (1, [TEXTS[1], TEXTS[2], TEXTS[4]])
    assert "row 7: tags: say different things of one text, as row 1 does" in result.stderr


def test_a_row_of_too_many_cells_is_told_and_the_others_are_read(tagged: Path) -> None:
    with tagged.open("a", encoding="utf-8") as file:
        file.write("m9,Panne" + "," * len(rows_of(tagged)[0]) + "encore\n")
    result, records = imported(tagged)
    assert (result.exit_code, len(records)) == (1, 4)
    assert "row 6: cells: has 13 cells where the header has 11. Quote its text\n" in result.stderr


def test_a_row_that_is_not_in_the_original_is_told(folder: Path, tagged: Path) -> None:
    rewrite(tagged, lambda rows: rows.append({**rows[0], "id": "m9", "text": "Un autre texte."}))
    result, records = imported(tagged, "--original", folder / "tagged.csv")
    assert (result.exit_code, records) == (1, {})
    assert "row 6: text: is not that of any row of the original" in result.stderr
    assert "autre" not in result.output


def test_the_target_and_its_watchlist_are_those_of_the_tagging(tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text(
        '[[organisation]]\nname = "@Lorivox"\n[[organisation]]\nname = "Zenbia"\nrole = "competitor"\n', "utf-8"
    )
    (tmp_path / "m.csv").write_text("text\nJe quitte Lorivox pour Zenbia.\n", encoding="utf-8")
    assert run("tag", tmp_path / "m.csv", "--watchlist", tmp_path / "w.toml").exit_code == 0
    tagged = tmp_path / "m.tagged.csv"
    assert rows_of(tagged)[0]["tympan_target"] == "'@Lorivox"  # so that no spreadsheet runs it
    _, records = imported(tagged, "--watchlist", tmp_path / "w.toml")
    (record,) = records.values()
    assert (record.target, [one.name for one in record.watchlist]) == ("@Lorivox", ["@Lorivox", "Zenbia"])
    assert record.id == key(Mention("", record.text, target="@Lorivox"))
    assert record.prepared() == "Je quitte [TARGET] pour [OTHER]."
    result, _ = imported(tagged)
    assert "give the --watchlist" in result.stderr

    (tmp_path / "w.toml").write_text('[[organisation]]\nname = "Autre"\n', "utf-8")
    result, records = imported(tagged, "--watchlist", tmp_path / "w.toml")
    assert (result.exit_code, records) == (1, {})
    assert "row 1: target: '@Lorivox' is not in the watchlist. Legal: Autre" in result.stderr


def test_former_names_and_groups_of_one_tag_are_minded_in_another_tag_set(tmp_path: Path) -> None:
    (tmp_path / "tags.toml").write_text(
        'name = "own"\nversion = "1"\n[groups.mood]\nkind = "exclusive"\n[groups.mood.tags.glad]\n'
        'former = ["very-happy"]\n[groups.mood.tags.sad_now]\n[groups.who.tags.me]\n',
        encoding="utf-8",
    )
    cells = ["Very happy", "sad now|glad", "SAD-NOW", ""]
    rows = [f"texte {number},{cell}" for number, cell in enumerate(cells, start=1)]
    (tmp_path / "mine.csv").write_text("\n".join(["text,Tympan Mood", *rows]) + "\n", encoding="utf-8")
    output = tmp_path / "o.jsonl"
    result = run("labels", "import", tmp_path / "mine.csv", "-o", output, "--taxonomy", tmp_path / "tags.toml")
    assert result.exit_code == 1
    assert "row 2: tympan_mood: has glad, sad_now and takes one tag" in result.stderr
    assert [record.tags for record in read(output, None)] == [{"mood": ("glad",)}, {"mood": ("sad_now",)}, {"mood": ()}]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--only-column", "gone"), "mine.csv: --only-column: there is no column 'gone'. There are: id, text"),
        (("--original", "nowhere.csv"), "nowhere.csv: is missing"),
        (("-o", "mine.csv"), "mine.csv: is an input"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line_and_nothing_is_written(
    tagged: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, str], told: str
) -> None:
    monkeypatch.chdir(tagged.parent)
    before = tagged.read_bytes()
    result = run("labels", "import", "mine.csv", "-o", "new.jsonl", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert [path.name for path in tagged.parent.iterdir()] == ["mine.csv"]
    assert tagged.read_bytes() == before


def test_a_watchlist_for_a_file_that_was_tagged_without_one_is_refused(tagged: Path, tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text('[[organisation]]\nname = "Lorivox"\n', encoding="utf-8")
    result, records = imported(tagged, "--watchlist", tmp_path / "w.toml")
    assert (result.exit_code, records) == (2, {})
    assert "mine.csv: has no column tympan_target. Leave out --watchlist" in result.stderr


def test_a_file_that_nobody_tagged_is_refused(folder: Path, tmp_path: Path) -> None:
    result = run("labels", "import", folder / "m.csv", "-o", tmp_path / "new.jsonl")
    assert result.exit_code == 2
    assert "has no column of listening@1.0 (tympan_intent, tympan_topic). Give a file that" in result.stderr
