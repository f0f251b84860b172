"""Mentions are erased from datasets and stores of corrections, and a kill leaves nothing half done."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from datasets import load_dataset

from labels.dataset import MANIFEST, VERSIONS, current, fingerprint, load, manifest_of, save
from labels.erasure.asked import Asked
from labels.erasure.dataset import DatasetPlace, recover
from labels.erasure.feedback import FeedbackPlace
from labels.erasure.place import Place, erase
from labels.errors import DatasetError, ErasureError
from labels.feedback.mention import TaggedMention
from labels.feedback.store import FeedbackStore
from labels.mirror import Entry, Mirror
from labels.pull import MIRROR
from labels.record import Record
from labels.studio import Project
from labels.versions import add, versions
from tests.bundles import tiny_taxonomy
from tests.labels.corrections import ROOT, correction
from tests.labels.test_versions import records

TAGS = tiny_taxonomy()
PROJECT = Project(3, "Spring", "")


def texts(folder: Path) -> set[str]:
    return {record.text for side in load(folder).values() for record in side}


def held(folder: Path) -> bytes:
    """All bytes of all files below a folder, those that are hidden too; Parquet's as they are once unpacked."""
    plain = {str(record) for path in folder.rglob(MANIFEST) for side in load(path.parent).values() for record in side}
    return b"".join([*(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()), str(plain).encode()])


def held_back(folder: Path) -> Record:
    """A record of a test side."""
    return load(folder)["test"][0]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A dataset of three versions: the last lacks a record that was tested on."""
    folder = tmp_path / "dataset"
    add(folder, records(60), taxonomy=TAGS)
    gone = held_back(folder)
    add(folder, records(80), taxonomy=TAGS)
    add(folder, [record for record in records(90) if record.id != gone.id], taxonomy=TAGS)
    return folder


def test_what_was_drawn_to_the_test_side_is_no_longer_named_there(tmp_path: Path) -> None:
    add(tmp_path, records(60), taxonomy=TAGS)
    learnt, tested = load(tmp_path)["train"][0], held_back(tmp_path)
    others = [record for record in records(60) if record.id != tested.id]
    add(tmp_path, [*others, replace(tested, text=f"{learnt.text} !")], taxonomy=TAGS)
    assert manifest_of(current(tmp_path))["learnt"] == [learnt.id]
    erase([DatasetPlace(tmp_path)], Asked.of(texts=[learnt.text]))
    assert manifest_of(current(tmp_path))["learnt"] == []


def test_every_version_loses_the_record_and_stays_one_whose_hashes_hold(kept: Path) -> None:
    mention, latest = held_back(versions(kept)[0]), current(kept)
    before = [manifest_of(path) for path in versions(kept)]
    others = [texts(path) - {mention.text} for path in versions(kept)]
    spaced = f"  {mention.text.replace(' ', '   ')} "
    (found,) = erase([DatasetPlace(kept)], Asked.of(texts=[spaced]))
    assert (found.looked, found.counts, found.left) == (60 + 80 + 89, Counter(records=2), [])
    assert [texts(path) for path in versions(kept)] == others
    assert current(kept) == latest
    after = [manifest_of(path) for path in versions(kept)]
    assert [manifest.get("erased", 0) for manifest in after] == [1, 1, 0]
    former = [[manifest["fingerprint"]] for manifest in before[:2]]
    assert [manifest.get("former", []) for manifest in after] == [*former, []]
    assert [manifest["parent"] for manifest in after[1:]] == [manifest["fingerprint"] for manifest in after[:2]]
    assert all(mention.id in manifest["held_out"] for manifest in before)
    assert not any(mention.id in manifest["held_out"] for manifest in after)
    for path, manifest in zip(versions(kept), after, strict=True):
        sides = load(path)
        assert manifest["fingerprint"] == fingerprint(record for side in sides.values() for record in side)
        assert {name: side["records"] for name, side in manifest["sides"].items()} == {
            name: len(side) for name, side in sides.items()
        }
    assert mention.id.encode() not in held(kept)
    assert len(load_dataset("parquet", data_dir=str(current(kept)), split="train")) == len(load(kept)["train"])
    (again,) = erase([DatasetPlace(kept)], Asked.of(texts=[mention.text]))
    assert (again.counts.total(), [manifest_of(path) for path in versions(kept)]) == (0, after)


def test_the_next_version_is_made_on_what_is_left(kept: Path) -> None:
    erase([DatasetPlace(kept)], Asked.of(ids=["r7"]))
    rest = [record for record in records(95) if record.id != "r7"]
    manifest = add(kept, rest, taxonomy=TAGS)
    assert manifest
    assert manifest["parent"] == manifest_of(versions(kept)[2])["fingerprint"]
    assert len(versions(kept)) == 4


def test_a_plain_dataset_may_lose_a_whole_side_and_keeps_what_else_lies_there(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    save(folder, {"train": records(5), "test": records(2, start=5)}, taxonomy=TAGS)
    (folder / "notes.txt").write_text("ours", encoding="utf-8")
    erase([DatasetPlace(folder)], Asked.of(ids=["r5", "r6", "r0"]))
    assert load(folder) == {"train": records(4, start=1), "test": []}
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, "notes.txt", "train.parquet"]
    assert manifest_of(folder)["erased"] == 3


def test_a_dry_run_counts_and_changes_nothing(kept: Path) -> None:
    before = held(kept)
    (found,) = erase([DatasetPlace(kept)], Asked.of(ids=["r7"]), dry_run=True)
    assert found.counts == Counter(records=3)
    assert held(kept) == before


def test_the_copy_of_a_project_forgets_its_tasks_and_every_line_of_them(tmp_path: Path) -> None:
    path = tmp_path / MIRROR
    mirror = Mirror(path, PROJECT, "http://127.0.0.1:8080")
    told = [("a" * 24, "1", "panne ici"), ("b" * 24, "2", "merci"), (None, "m7", "secret words")]
    data = [{"id": name, "text": text, **({"mention": made} if made else {})} for made, name, text in told]
    entries = [Entry(number, "s", one) for number, one in enumerate(data)]
    mirror.add(entries)
    mirror.add([replace(entries[0], stamp="t")])
    (found,) = erase([DatasetPlace(tmp_path)], Asked.of(ids=["2", "m7"], texts=["panne  ici"]))
    assert found.counts == Counter({"tasks of its copy": 2})
    assert list(Mirror(path, PROJECT, "http://127.0.0.1:8080").entries) == [1]  # "2" is but the number of its row
    assert b"panne" not in held(tmp_path)
    assert b"secret" not in held(tmp_path)


def test_corrections_and_remembered_mentions_go_by_id_and_by_text_however_it_is_spaced(place: str) -> None:
    store = FeedbackStore(place)
    store.add([correction("c1", mention="m1"), correction("c2", mention="m2", text="Merci\n à  tous")])
    store.add([correction("c3", mention="m3", text="Panne.")])
    store.remember([TaggedMention(id="m2", text="Merci à tous"), TaggedMention(id="m4", text="Bravo")], keep=9)
    (found,) = erase([FeedbackPlace(store, "here")], Asked.of(ids=["m3"], texts=[" Merci à tous"]))
    assert (found.looked, found.counts) == (5, Counter({"corrections": 2, "remembered mentions": 1}))
    assert [one.correction.id for one in store.after()] == ["c1"]
    assert [mention.id for mention in store.recent(9)] == ["m4"]


def test_what_one_place_has_under_an_id_goes_from_the_others_by_its_text(tmp_path: Path, kept: Path) -> None:
    mention = held_back(kept)
    store = FeedbackStore(tmp_path / "state")
    store.add([correction("c1", mention="tweet-9", text=mention.text)])
    places: list[Place] = [DatasetPlace(kept), FeedbackPlace(store, "here")]
    dry = erase(places, Asked.of(ids=["tweet-9"]), dry_run=True)
    done = erase(places, Asked.of(ids=["tweet-9"]))
    assert [found.counts for found in dry] == [found.counts for found in done]
    assert done[0].counts["records"] >= 2
    assert mention.text not in texts(kept)
    assert store.count() == 0


def test_the_place_that_says_what_text_an_id_has_is_kept_until_nothing_else_is_left(tmp_path: Path) -> None:
    folder, away = tmp_path / "d", tmp_path / "away"
    save(folder, {"train": records(5)}, taxonomy=TAGS)
    store = FeedbackStore(tmp_path / "state")
    store.add([correction("c1", mention="tweet-9", text=records(1)[0].text)])
    places: list[Place] = [FeedbackPlace(store, "here"), DatasetPlace(folder)]
    steps = []

    def each(step: str) -> None:
        steps.append(step)
        if step == "Erasing from dataset" and not away.exists():
            shutil.move(folder, away)

    kept, lost = erase(places, Asked.of(ids=["tweet-9"]), each=each)
    assert "is no dataset" in lost.left[0]
    assert (kept.counts.total(), store.count()) == (0, 1)
    assert "feedback: is kept until nothing else is left" in kept.left[0]
    shutil.move(away, folder)
    away.mkdir()
    done = erase(places, Asked.of(ids=["tweet-9"]), each=each)
    assert [found.counts.total() for found in done] == [1, 1]
    assert steps[-2:] == ["Erasing from dataset", "Erasing from feedback"]
    assert (store.count(), len(texts(folder))) == (0, 4)


def test_a_dataset_behind_a_link_is_rewritten_and_the_link_stays(tmp_path: Path) -> None:
    save(tmp_path / "real", {"train": records(5)}, taxonomy=TAGS)
    (tmp_path / "link").symlink_to("real")
    recover(tmp_path / "link")
    erase([DatasetPlace(tmp_path / "link")], Asked.of(ids=["r1"]))
    assert (tmp_path / "link").is_symlink()
    assert len(texts(tmp_path / "real")) == 4


def test_texts_of_links_and_handles_alone_are_no_others(tmp_path: Path) -> None:
    said = {"a": "@ann https://example.org/1", "b": "@ben https://example.org/2", "c": "@ann 👍", "d": "Merci @ann !"}
    save(tmp_path / "d", {"train": [Record(id=name, text=text, tags={}) for name, text in said.items()]}, taxonomy=TAGS)
    erase([DatasetPlace(tmp_path / "d")], Asked.of(texts=[said["a"], "Merci @ben !"]))
    assert texts(tmp_path / "d") == {said["b"], said["c"]}


@pytest.mark.parametrize(("ids", "said"), [([], []), ([""], []), ([], [" \n"]), (["m1"], ["\u200b"])])
def test_what_would_name_nobody_or_everybody_is_refused(ids: list[str], said: list[str]) -> None:
    with pytest.raises(ErasureError, match=r"--id"):
        Asked.of(ids, said)


def test_a_place_that_cannot_be_looked_through_keeps_all_others_as_they_are(tmp_path: Path, kept: Path) -> None:
    save(tmp_path / "plain", {"train": records(5)}, taxonomy=TAGS)
    places = [DatasetPlace(tmp_path / "plain"), DatasetPlace(kept)]
    shutil.copy(kept / VERSIONS / current(kept).name / "test.parquet", versions(kept)[0] / "train.parquet")
    with pytest.raises(DatasetError, match="was altered"):
        erase(places, Asked.of(ids=["r1"]))
    assert "r1" in {record.id for record in load(tmp_path / "plain")["train"]}
    with pytest.raises(DatasetError, match="is no dataset"):
        DatasetPlace(tmp_path)


def test_one_that_fails_later_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / name / "d", {"train": records(5)}, taxonomy=TAGS)
    places = [DatasetPlace(tmp_path / name / "d") for name in ("a", "b")]

    def each(what: str) -> None:
        if what.startswith("Erasing") and (tmp_path / "a" / "d").exists():
            shutil.move(tmp_path / "a" / "d", tmp_path / "away")

    lost, found = erase(places, Asked.of(ids=["r1"]), each=each)
    assert (found.counts, found.left) == (Counter(records=1), [])
    assert (lost.counts.total(), lost.looked) == (0, 5)
    assert "is no dataset" in lost.left[0]


_ERASER = """
import sys
from pathlib import Path
from labels.erasure.asked import Asked
from labels.erasure.dataset import DatasetPlace, recover
from labels.erasure.place import erase
folder = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
recover(folder)
erase([DatasetPlace(folder)], Asked.of(ids=["r7"]))
"""


def eraser(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _ERASER, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def let_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def test_after_a_kill_in_the_middle_a_second_run_completes_it(kept: Path, tmp_path: Path) -> None:
    wanted = [texts(path) - {record.text for record in records(1, start=7)} for path in versions(kept)]
    names = [path.name for path in versions(kept)]
    seen: set[int] = set()
    for number in range(20):
        folder = tmp_path / f"killed-{number}"
        shutil.copytree(kept, folder)
        _killed_once_the_newest_is_new(folder)
        for path in versions(folder):
            load(path)  # whole, or not there: never half of it
            seen.add(manifest_of(path).get("erased", 0))
        recover(folder)
        erase([DatasetPlace(folder)], Asked.of(ids=["r7"]))
        assert [path.name for path in versions(folder)] == names
        assert [texts(path) for path in versions(folder)] == wanted
        assert [manifest_of(path)["erased"] for path in versions(folder)] == [1, 1, 1]
        assert sorted(path.name for path in (folder / VERSIONS).iterdir()) == names
        assert b'"r7"' not in held(folder)
        if seen == {0, 1} and number >= 2:  # some kill came between the first version and the last
            return
    pytest.fail("no kill came in time")


def _killed_once_the_newest_is_new(folder: Path) -> None:
    newest = current(folder)
    process = eraser(folder)
    let_go(process)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(DatasetError):  # between two renamings it is not there
            if "erased" in manifest_of(newest):
                process.send_signal(signal.SIGKILL)
                break
    process.wait(60)


def test_a_version_that_was_being_replaced_is_put_back_and_drafts_go(kept: Path) -> None:
    first, second, _ = versions(kept)
    before = held(kept)
    shutil.copytree(second, kept / VERSIONS / f".{second.name}-abcdefgh")
    shutil.copytree(second, kept / VERSIONS / f".{second.name}-replaced-4711")
    (kept / VERSIONS / f".{second.name}-ijklmnop").mkdir()
    first.rename(first.with_name(f".{first.name}-replaced-4711"))
    (kept.parent / f".{kept.name}-settings").mkdir()
    (kept.parent / f".{kept.name}-settings" / "ours.json").write_text(json.dumps({}), encoding="utf-8")
    recover(kept)
    assert held(kept) == before
    assert (kept.parent / f".{kept.name}-settings" / "ours.json").exists()
