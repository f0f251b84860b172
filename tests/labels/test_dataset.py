"""The dataset's folder and fingerprint."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labels.dataset import MANIFEST, counts, fingerprint, load, save, to_datasets
from labels.errors import DatasetError, ExtraError
from labels.extra import library
from labels.record import Record, read, write
from model.errors import TaxonomyError
from model.taxonomy import Taxonomy
from model.watchlist import Organisation
from tests.labels.records import SMALL, corpus, record

FULL = Record(
    id="full",
    text="Je quitte Acmé 👩‍🔧",
    lang="fr",
    target="Acmé",
    watchlist=(Organisation("Acmé", "brand", ("@acme",)), Organisation("Zenit", "competitor")),
    tags={"mood": ("sad",), "about": ("price/level", "place")},
    unsure={"mood": ("happy",)},
    source="made/test",
    annotators=("ann", "bob"),
    created_at="2024-05-01",
)
BARE = Record(id="bare", text="x", tags={})
SIDES = {"train": [FULL, *corpus(5)], "validation": [BARE], "test": []}


def test_a_saved_dataset_is_loaded_as_it_was(tmp_path: Path) -> None:
    save(tmp_path / "d", SIDES, taxonomy=SMALL)
    assert load(tmp_path / "d") == SIDES


def test_former_names_are_read_as_present_ones_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "d", {"train": [record("a", tags={"mood": ("sad",), "about": ("place",)})]}, taxonomy=SMALL)
    renamed, other = (
        'name = "small"\nversion = "1"\n[groups.mood]\n[groups.mood.tags.sad]\n[groups.about.tags.spot]\n' + end
        for end in ('former = ["place"]\n', "")
    )
    (found,) = load(tmp_path / "d", Taxonomy.parse(renamed))["train"]
    assert found.tags == {"mood": ("sad",), "about": ("spot",)}
    with pytest.raises(TaxonomyError, match="place"):
        load(tmp_path / "d", Taxonomy.parse(other))


def test_the_manifest_says_what_there_is(tmp_path: Path) -> None:
    manifest = save(tmp_path / "d", {"train": [FULL, record("b", lang="it")], "test": [BARE]}, taxonomy=SMALL)
    assert manifest == json.loads((tmp_path / "d" / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["taxonomy"] == "small@1"
    assert manifest["fingerprint"] == fingerprint([FULL, record("b", lang="it"), BARE])
    assert manifest["sides"]["train"] == {
        "records": 2,
        "languages": {"fr": 1, "it": 1},
        "tags": {"about/place": 1, "about/price": 1, "about/price/level": 1, "mood/sad": 1},
    }
    assert manifest["sides"]["test"] == {"records": 1, "languages": {"und": 1}, "tags": {}}


def test_the_files_are_parquet_that_the_datasets_library_reads_by_side(tmp_path: Path) -> None:
    save(tmp_path / "d", SIDES, taxonomy=SMALL)
    found = datasets.load_dataset(str(tmp_path / "d"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(own) for name, own in found.items()} == {"train": 6, "validation": 1}
    assert found["train"][0]["tags"] == {"mood": ["sad"], "about": ["price/level", "place"]}
    assert found["validation"][0]["tags"] == {"mood": None, "about": None}


def test_an_unlabelled_group_stays_apart_from_an_empty_one() -> None:
    found = to_datasets({"train": [record("a", tags={"mood": ()})]}, SMALL)
    assert found["train"][0]["tags"] == {"mood": [], "about": None}


def test_a_group_that_the_taxonomy_lacks_is_refused() -> None:
    with pytest.raises(TaxonomyError, match="no group 'colour'"):
        to_datasets({"train": [record("a", tags={"colour": ()})]}, SMALL)


def test_counts_are_by_language_and_tag_with_parents() -> None:
    assert counts([FULL, BARE])["tags"]["about/price"] == 1
    assert counts([]) == {"records": 0, "languages": {}, "tags": {}}


@given(st.permutations(SIDES["train"]))
def test_the_fingerprint_does_not_depend_on_the_order(records: list[Record]) -> None:
    assert fingerprint(records) == fingerprint(SIDES["train"])


@pytest.mark.parametrize(
    "change",
    [
        {"id": "other"},
        {"text": "Je quitte Acmé"},
        {"lang": "it"},
        {"target": "Zenit"},
        {"watchlist": ()},
        {"tags": {"mood": ("sad",)}},
        {"tags": {"mood": ("sad",), "about": ()}},
        {"unsure": {}},
        {"source": None},
        {"annotators": ("ann",)},
        {"created_at": "2024-05-02"},
    ],
)
def test_the_fingerprint_changes_with_any_field(change: dict[str, object]) -> None:
    assert fingerprint([replace(FULL, **change)]) != fingerprint([FULL])  # type: ignore[arg-type]


def test_the_fingerprint_counts_repeated_records_and_ignores_the_order_of_tags() -> None:
    assert fingerprint([FULL, FULL]) != fingerprint([FULL])
    turned = replace(FULL, tags={"about": ("place", "price/level"), "mood": ("sad",)})
    assert fingerprint([turned]) == fingerprint([FULL])


def test_the_fingerprint_survives_a_file(tmp_path: Path) -> None:
    write(tmp_path / "f.jsonl", SIDES["train"])
    assert fingerprint(read(tmp_path / "f.jsonl", SMALL)) == fingerprint(SIDES["train"])


def test_an_earlier_dataset_is_replaced_whole(tmp_path: Path) -> None:
    save(tmp_path / "d", SIDES, taxonomy=SMALL)
    save(tmp_path / "d", {"only": [BARE]}, taxonomy=SMALL)
    assert load(tmp_path / "d") == {"only": [BARE]}
    assert sorted(file.name for file in (tmp_path / "d").iterdir()) == ["dataset.json", "only.parquet"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["d"]


def test_a_folder_that_holds_anything_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "thesis.txt").write_text("years of work", encoding="utf-8")
    (tmp_path / "file").write_text("more of it", encoding="utf-8")
    for place in ("d", "file"):
        with pytest.raises(DatasetError, match="holds something that is no dataset"):
            save(tmp_path / place, SIDES, taxonomy=SMALL)
    assert (tmp_path / "d" / "thesis.txt").read_text(encoding="utf-8") == "years of work"
    assert (tmp_path / "file").read_text(encoding="utf-8") == "more of it"


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    save(tmp_path, {"train": [BARE]}, taxonomy=SMALL)
    assert load(tmp_path) == {"train": [BARE]}


def test_a_dataset_that_was_altered_or_is_not_whole_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    save(folder, SIDES, taxonomy=SMALL)
    save(tmp_path / "other", {"train": [replace(FULL, lang="it")]}, taxonomy=SMALL)
    (folder / "train.parquet").write_bytes((tmp_path / "other" / "train.parquet").read_bytes())
    with pytest.raises(DatasetError, match="was altered since it was written"):
        load(folder)
    for content in (b"", b"no parquet"):
        (folder / "train.parquet").write_bytes(content)
        with pytest.raises(DatasetError, match=r"train\.parquet: is missing or cannot be read"):
            load(folder)
    (folder / "train.parquet").unlink()
    with pytest.raises(DatasetError, match=r"train\.parquet: is missing or cannot be read"):
        load(folder)


@pytest.mark.parametrize(("content", "problem"), [(None, "is no dataset"), ("{", "is no dataset"), ("{}", "schema")])
def test_a_folder_without_a_manifest_of_this_schema_is_refused(
    tmp_path: Path, content: str | None, problem: str
) -> None:
    if content is not None:
        (tmp_path / MANIFEST).write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=problem):
        load(tmp_path)


def test_the_room_is_imported_without_the_libraries_of_its_extra() -> None:
    code = (
        "import sys, labels.record, labels.dataset, labels.split, labels.check, labels.cli;"
        "heavy = ('datasets', 'pyarrow', 'pandas', 'datasketch', 'scipy', 'torch', 'transformers');"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"[]"


def test_a_missing_library_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(ExtraError, match=r"no_such_library: is not installed\. Run: pip install 'tympan\[label\]'"):
        library("no_such_library.part")
