"""New labels in, a better model out, and a worse one never."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock
from rich.console import Console
from safetensors.torch import load_file, save_file

from labels.dataset import load, manifest_of, save, split
from labels.errors import FeedbackStoreError
from labels.record import Record, write
from labels.versions import add, versions
from model.bundle import Bundle
from model.errors import RegistryError
from model.registry import Registry
from model.tagger import Tagger
from tests.training.retraining import champion, leaving, share_with
from tests.training.toys import TOY, toy_records
from training.errors import TrainingError
from training.gather import Sources
from training.order import Order
from training.pipeline import train
from training.plan import Plan
from training.release import Rules
from training.retrain import Outcome, promote
from training.retrain import retrain as run
from training.trigger import due

LENIENT = Rules(max_ece=0.2, max_latency=3.0)
"""For networks so small that a call takes less time than it is measured in."""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> Path:
    """The folder of a champion, to be copied by every test."""
    folder = tmp_path_factory.mktemp("first")
    champion(folder, plan)
    return folder


@pytest.fixture
def order(first: Path, plan: Plan, tmp_path: Path) -> Order:
    shutil.copytree(first, tmp_path / "all")
    folder = tmp_path / "all"
    registry = Registry(folder / "models")
    sources = Sources(copies=folder / "copies")
    return Order(
        registry=registry,
        dataset=folder / "labels",
        base=folder / "base.jsonl",
        sources=sources,
        rules=LENIENT,
        encoder=plan.encoder,
    )


def with_labels(order: Order, records: Sequence[Record], name: str = "new.jsonl") -> Order:
    file = order.base.with_name(name)
    write(file, records)
    return replace(order, sources=replace(order.sources, files=(*order.sources.files, file)))


def retrain(order: Order) -> Outcome:
    return run(order, console=Console(quiet=True))


def tagger(order: Order, version: str | None = None) -> Tagger:
    return Tagger.load(order.registry.folder(version or str(order.registry.champion())), threads=1)


def test_what_people_corrected_is_learnt_and_the_better_model_promoted(order: Order) -> None:
    before, probe = str(order.registry.champion()), leaving(60, number=77)
    assert share_with(tagger(order), probe, "intent/churn") < 0.3
    outcome = retrain(with_labels(order, leaving(200, number=70)))
    assert outcome.state == "promoted"
    assert order.registry.champion() == outcome.version != before
    assert share_with(tagger(order), probe, "intent/churn") > 0.6
    praise = [record for record in toy_records(200, number=8) if "praise" in record.tags["intent"]]
    assert share_with(tagger(order), praise, "intent/praise") > 0.8
    assert order.registry.retraining()["state"] == "promoted"
    page = outcome.report.read_text(encoding="utf-8") if outcome.report else ""
    assert "It passes" in page and "new texts that neither has learnt from" in page
    assert retrain(with_labels(order, leaving(200, number=70))).state == "unchanged"


def test_poisoned_labels_go_no_further_than_the_gate(order: Order) -> None:
    """Somebody labels 600 texts of people who leave as if they stayed."""
    before = str(order.registry.champion())
    churn = [record for record in toy_records(2_200, number=60) if "churn" in record.tags["intent"]][:600]
    poisoned = [
        replace(record, id=f"bad-{record.id}", tags={"intent": tuple(set(record.tags["intent"]) - {"churn"})})
        for record in churn
    ]
    outcome = retrain(with_labels(order, poisoned))
    assert outcome.state == "kept"
    assert any("intent" in reason and "churn in all languages" in reason for reason in outcome.reasons)
    assert order.registry.champion() == before
    assert outcome.version in order.registry.versions()
    assert outcome.report and "It does not pass" in outcome.report.read_text(encoding="utf-8")
    event = order.registry.history()[-1]
    assert (event["event"], event["passed"], event["champion"]) == ("judge", False, before)
    again = retrain(with_labels(order, poisoned))
    assert (again.state, again.reasons) == ("kept", outcome.reasons)


def test_the_test_texts_of_the_champion_stay_what_they_were(order: Order) -> None:
    retrain(replace(with_labels(order, leaving(30, number=71)), promote=False))
    first, second = (load(folder) for folder in versions(order.dataset))
    assert {record.id for record in first["test"]} <= {record.id for record in second["test"]}
    new = {record.id for record in leaving(30, number=71)}
    assert new <= {record.id for side in second.values() for record in side}


def test_a_model_that_went_back_is_not_promoted_by_itself(order: Order) -> None:
    before = str(order.registry.champion())
    asked = with_labels(order, leaving(60, number=72))
    promoted = retrain(asked)
    order.registry.rollback(who="ann", why="a feeling")
    assert order.registry.champion() == before
    outcome = retrain(asked)
    assert (outcome.state, order.registry.champion()) == ("kept", before)
    assert promoted.version in outcome.reasons[0] and "went back" in outcome.reasons[0]
    twin = retrain(with_labels(order, leaving(61, number=72)))  # from the same labels and one more
    assert (twin.state, order.registry.champion()) == ("kept", before)
    assert f"tympan models promote {twin.version}" in twin.reasons[0]
    order.registry.promote(twin.version, who="ann", why="looked at")
    assert order.registry.champion() == twin.version


def test_a_dataset_that_something_else_wrote_to_is_refused(order: Order) -> None:
    retrain(order)
    add(
        order.dataset,
        leaving(30, number=78),
        taxonomy=Bundle.read(order.registry.folder(str(order.registry.champion()))).taxonomy,
    )
    with pytest.raises(TrainingError, match=r"lacks [\d,]+ records that .* was trained on"):
        retrain(with_labels(order, leaving(30, number=79)))


def test_a_base_of_other_tags_is_refused_with_the_way_to_name_the_right_one(order: Order, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text('{"id": "a", "text": "b", "tags": {"team": ["bike"]}}\n', encoding="utf-8")
    with pytest.raises(TrainingError, match=r"is not what .* was trained on: .*Give those records: --base"):
        retrain(replace(order, base=other, dataset=tmp_path / "none"))


def test_a_folder_of_corrections_that_is_not_there_is_no_empty_one(order: Order, tmp_path: Path) -> None:
    with pytest.raises(FeedbackStoreError, match="is no folder"):
        retrain(replace(order, sources=replace(order.sources, feedback=tmp_path / "typo")))


def test_the_champion_after_a_rollback_is_the_one_before_byte_for_byte(order: Order) -> None:
    def content() -> dict[str, bytes]:
        folder = order.registry.folder(str(order.registry.champion()))
        return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    before = content()
    retrain(with_labels(order, leaving(60, number=73)))
    assert content() != before
    order.registry.rollback(who="ann", why="a feeling")
    assert content() == before


def test_nothing_new_is_nothing_to_do(order: Order) -> None:
    assert retrain(order).state == "unchanged"
    assert len(versions(order.dataset)) == 1
    assert len(order.registry.versions()) == 1


def test_only_one_retrains_at_a_time(order: Order) -> None:
    with FileLock(order.registry.path / ".retraining.lock"), pytest.raises(TrainingError, match="by another process"):
        retrain(order)


def test_records_that_the_champion_was_not_trained_on_are_refused(order: Order) -> None:
    write(order.base, toy_records(50, number=3))
    with pytest.raises(TrainingError, match="is not what"):
        retrain(order)
    assert order.registry.retraining()["state"] == "failed"
    assert not order.dataset.exists()


def test_a_registry_without_a_champion_says_how_to_get_one(order: Order, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="tympan models add"):
        retrain(replace(order, registry=Registry(tmp_path / "empty")))
    assert not (tmp_path / "empty").exists()


def test_killed_again_and_again_it_ends_as_if_nothing_had_happened(order: Order) -> None:
    command = command_of(with_labels(order, leaving(60, number=74)))
    registry = order.registry
    left, own = (registry.path / "bundles" / name for name in (".toy-0123456789ab-x8fj_2ab", ".old-20261130"))
    for folder in (left, own):  # one as a kill leaves it that comes while a bundle is copied, and one of somebody's
        folder.mkdir()
    exported = registry.path / ".retraining" / ".challenger-training" / "fp32.onnx"
    for moment in (
        *(partial(lambda stage: registry.retraining()["state"] == stage, stage) for stage in ("gathering", "training")),
        exported.exists,
        lambda: registry.retraining()["state"] == "measuring",
        lambda: any(event["event"] == "judge" for event in registry.history()),
    ):
        registry.tell("interrupted")
        kill_at(moment, subprocess.Popen(command, stderr=subprocess.DEVNULL))
        assert registry.champion() in registry.versions()
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert len(versions(order.dataset)) == 2
    records = [record for side in load(order.dataset).values() for record in side]
    assert len(records) == len({record.id for record in records}) == 1_260
    assert len(order.registry.versions()) == 2
    newest = Bundle.read(order.registry.folder(str(order.registry.champion())))
    assert newest.provenance["dataset"] == manifest_of(versions(order.dataset)[-1])["fingerprint"]
    events = [event["event"] for event in registry.history()]
    assert events[:5] == ["add", "promote", "add", "judge", "promote"]
    assert events[5:] in ([], ["promote"])  # as the last kill came before or after the line of a promotion
    assert not (registry.path / ".retraining").exists() and not left.exists() and own.exists()
    assert registry.retraining()["state"] in ("promoted", "unchanged")


def command_of(order: Order, *more: str) -> list[str]:
    """The same on the command line."""
    rules = order.base.with_name("rules.toml")
    rules.write_text("max_ece = 0.2\nmax_latency = 3.0\n", encoding="utf-8")
    command = [sys.executable, "-m", "tympan", "retrain", "--registry", order.registry.path, "--dataset", order.dataset]
    command += ["--base", order.base, "--rules", rules, "--encoder", order.encoder, "--new", order.sources.files[0]]
    return [*map(str, command), *more]


def kill_at(moment: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 200
    try:
        while not moment():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_every_round_learns_at_the_same_rate_and_a_model_made_anew_at_the_first_ones(order: Order) -> None:
    settings = [Bundle.read(order.registry.folder(str(order.registry.champion()))).provenance["settings"]]
    for number, asked in enumerate((order, order, replace(order, anew=True))):
        order = with_labels(replace(asked, sources=order.sources), leaving(30, number=80 + number), f"{number}.jsonl")
        version = retrain(replace(order, rules=replace(LENIENT, max_ece=1.0, min_cases=1_000))).version
        provenance = Bundle.read(order.registry.folder(version)).provenance
        assert bool(provenance["start"]) == (number < 2)
        settings.append(provenance["settings"])
    assert all(found == settings[0] for found in settings)


def test_what_people_decide_while_a_challenger_is_made_stands(order: Order, plan: Plan) -> None:
    first = str(order.registry.champion())
    second = retrain(with_labels(order, leaving(30, number=75))).version
    third = replace(order, promote=False)
    held = retrain(with_labels(third, leaving(60, number=75))).version
    order.registry.rollback(who="ann", why="a feeling")  # as if it came before the last step
    outcome = promote(order.registry, held, Bundle.read(order.registry.folder(second)))
    assert (outcome.state, order.registry.champion()) == ("kept", first)
    assert "champion no more" in outcome.reasons[0]


def test_a_retraining_that_broke_off_is_due_again(order: Order) -> None:
    retrain(order)
    assert due(order, enough=1, state=None) == ""
    order.registry.tell("training")
    assert due(order, enough=1, state=None) == "the last one is training"


def test_labels_of_test_texts_that_were_wrong_count_as_they_are_today(order: Order) -> None:
    """Praise was called churn by mistake, and the other way round; people put all of it right."""
    swap = {"churn": "praise", "praise": "churn"}
    righted = [
        replace(record, tags={"intent": tuple(swap[tag] for tag in record.tags["intent"])})
        for record in toy_records(1_200)
    ]
    asked = replace(with_labels(order, righted), anew=True, rules=replace(LENIENT, max_latency=9.0))
    outcome = retrain(asked)
    assert outcome.state == "kept"
    assert all(reason.startswith("withdrawn labels, intent/") for reason in outcome.reasons), outcome.reasons
    outcome = retrain(replace(asked, rules=replace(asked.rules, max_withdrawn=1.0)))
    assert outcome.state == "promoted", outcome.reasons


def test_a_champion_of_a_dataset_has_its_test_texts_from_there(plan: Plan, tmp_path: Path) -> None:
    records = toy_records(300)
    save(tmp_path / "dataset", split(records, seed=5), taxonomy=TOY)
    write(tmp_path / "base.jsonl", records)
    bundle = train(load(tmp_path / "dataset"), tmp_path / "first", plan)
    registry = Registry(tmp_path / "models")
    registry.promote(registry.add(bundle.path), who="ann", why="the first")
    order = Order(
        registry=registry,
        dataset=tmp_path / "labels",
        base=tmp_path / "base.jsonl",
        sources=Sources(copies=tmp_path),
        encoder=plan.encoder,
    )
    with pytest.raises(TrainingError, match="other test texts"):
        retrain(order)
    assert retrain(replace(order, base=tmp_path / "dataset")).state == "unchanged"
    assert load(order.dataset)["test"] == load(tmp_path / "dataset")["test"]
    other = train(split(records, seed=6), tmp_path / "second", plan)
    registry.promote(registry.add(other.path), who="ann", why="of the same records, on other sides")
    with pytest.raises(TrainingError, match="has no version that"):
        retrain(replace(order, base=tmp_path / "dataset"))


def test_rules_for_tags_that_there_are_not_are_refused(order: Order) -> None:
    with pytest.raises(TrainingError, match="'intents/\\*' is of none"):
        retrain(replace(order, rules=replace(LENIENT, tags=("intents/*",))))


def test_who_watches_tells_what_fails_and_goes_on(order: Order, tmp_path: Path) -> None:
    asked = with_labels(order, leaving(60, number=76))
    in_the_way = order.registry.path / "reports"
    in_the_way.write_text("", encoding="utf-8")
    said = tmp_path / "said.txt"
    with said.open("w") as file:
        watching = subprocess.Popen(command_of(asked, "--watch", "--enough", "1", "--every", "1"), stderr=file)
        try:
            told = r"tympan: FileExistsError at \w+\.py:\d+: File exists"
            wait_for(lambda: re.search(told, said.read_text(encoding="utf-8")), watching)
            assert order.registry.retraining()["state"] == "failed"
            in_the_way.unlink()
            write(asked.sources.files[0], leaving(70, number=76))  # more labels are tried without waiting for an hour
            wait_for(lambda: order.registry.retraining().get("state") == "promoted", watching)
            assert "Traceback" not in said.read_text(encoding="utf-8")
            assert watching.poll() is None
        finally:
            watching.kill()
            watching.wait()


def wait_for(moment: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 200
    while not moment():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.1)


def test_what_the_gates_of_the_export_refused_is_told_and_not_made_again(order: Order, tmp_path: Path) -> None:
    """An encoder with weights that are no numbers: no bundle can come of it."""
    before, broken = order.registry.champion(), tmp_path / "broken"
    shutil.copytree(order.encoder, broken)
    weights = load_file(broken / "model.safetensors")
    (words,) = (name for name in weights if "word_embeddings" in name)
    save_file({**weights, words: weights[words] * float("nan")}, broken / "model.safetensors", {"format": "pt"})
    asked = replace(with_labels(order, leaving(30, number=81)), anew=True, encoder=str(broken))
    outcome = retrain(asked)
    assert (outcome.state, outcome.version) == ("kept", "")
    assert outcome.reasons[0].startswith("export: between torch and ONNX a probability differs by nan")
    assert order.registry.champion() == before
    assert order.registry.retraining()["reasons"] == list(outcome.reasons)
    events = order.registry.history()
    assert events[-1]["event"] == "refuse"
    assert retrain(asked) == outcome
    assert order.registry.history() == events
    assert retrain(replace(asked, encoder=order.encoder, promote=False)).version


def test_the_successor_of_a_model_of_another_encoder_is_not_taken_for_it(order: Order, tmp_path: Path) -> None:
    asked = replace(with_labels(order, leaving(60, number=82)), anew=True, promote=False)
    made = retrain(asked).version
    copy = tmp_path / "encoder"
    shutil.copytree(order.encoder, copy)
    events = order.registry.history()
    assert retrain(asked).state == "unchanged"
    assert order.registry.history() == events
    outcome = retrain(replace(asked, encoder=str(copy)))
    assert outcome.version not in ("", made)
