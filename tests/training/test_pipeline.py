"""Records in, a whole and gated bundle out."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from transformers import BertModel

from labels.dataset import fingerprint
from labels.record import Record
from model.bundle import LAYOUT, Bundle
from model.mention import Mention
from model.tagger import Tagged, Tagger
from model.taxonomy import Taxonomy
from tests.encoders import tiny_encoder
from tests.training.toys import TOML, TOY, toy_records, toy_settings, toy_sides
from training.errors import GateError, TrainingError
from training.evaluate import evaluate
from training.pipeline import _digest, outputs, train
from training.plan import Plan


def test_the_bundle_is_whole_and_nothing_else_is_left_beside_it(trained: Bundle) -> None:
    assert Bundle.read(trained.path) == trained
    assert {file.name for file in trained.path.iterdir()} == {*LAYOUT.hashed, LAYOUT.manifest}
    assert list(trained.path.parent.iterdir()) == [trained.path]


def test_the_bundle_tags_what_it_was_taught(trained: Bundle) -> None:
    texts = {"je résilie": "churn", "grazie": "praise", "thanks": "praise"}
    results = Tagger.load(trained.path, threads=1).tag([Mention(id=text, text=text) for text in texts])
    for result, tag in zip(results, texts.values(), strict=True):
        assert isinstance(result, Tagged)
        assert [score.tag for score in result.tags["intent"]] == [tag]


def test_its_figures_are_those_of_its_tagger_on_the_test_side(trained: Bundle) -> None:
    found = evaluate(Tagger.load(trained.path, threads=1), toy_sides()["test"])
    assert trained.metrics["test"] == json.loads(json.dumps(found))
    assert all(group["macro_f1"] > 0.8 for group in found["groups"].values())


def test_it_says_how_near_the_shipped_form_is_to_the_trained_one(trained: Bundle) -> None:
    measures = {
        "torch_to_onnx",
        "alone_to_batched",
        "int8_to_fp32",
        "alone_to_batched_int8",
        "flipped",
        "flipped_unseen",
        "lost_macro_f1",
    }
    assert trained.metrics["parity"].keys() == measures
    assert trained.metrics["parity"]["flipped"] <= 0.005


def test_it_says_what_it_was_made_of(trained: Bundle) -> None:
    told = trained.provenance
    assert told["encoder"] == "tiny"
    assert told["records"] == {"train": 480, "validation": 120, "test": 120}
    assert told["data"] == fingerprint(record for records in toy_sides().values() for record in records)
    assert told["settings"]["seed"] == 0
    assert told["versions"]["torch"] == torch.__version__
    assert trained.languages == ("en", "fr", "it")


def test_other_tools_find_its_labels_in_order(trained: Bundle) -> None:
    config = json.loads((trained.path / LAYOUT.config).read_text(encoding="utf-8"))
    assert [config["id2label"][str(position)] for position in range(len(TOY.labels))] == list(TOY.labels)
    assert config["label2id"] == {label: position for position, label in enumerate(TOY.labels)}
    assert config["problem_type"] == "multi_label_classification"


def test_its_card_shows_its_notes_and_the_figures_of_every_group_tag_and_language(trained: Bundle) -> None:
    card = (trained.path / LAYOUT.card).read_text(encoding="utf-8")
    assert card.startswith("---\nlanguage:\n- en\n- fr\n- it\n")
    for shown in ("# A toy", "Of toy records.", "## intent", "## topic", "## mood", "| it |", "| `price/fees` |"):
        assert shown in card
    assert f"{100 * trained.metrics['test']['groups']['intent']['macro_f1']:.1f}" in card


def test_the_same_seed_gives_the_same_bundle_but_for_what_tells_runs_apart(
    trained: Bundle, plan: Plan, tmp_path: Path
) -> None:
    again = train(toy_sides(), tmp_path / "again", plan)
    for name, group in again.metrics["test"]["groups"].items():
        before = trained.metrics["test"]["groups"][name]
        for figure in ("macro_f1", "micro_f1", "ece"):
            assert group[figure] == pytest.approx(before[figure], abs=0.01)


def test_in_32_bits_nothing_is_quantised(trained: Bundle, plan: Plan, tmp_path: Path) -> None:
    quick = replace(plan, precision="fp32", settings=toy_settings(epochs=1))
    found = train(toy_sides(), tmp_path / "whole", quick)
    assert found.metrics["parity"].keys() == {"torch_to_onnx", "alone_to_batched"}
    assert found.model_file.stat().st_size > 1.5 * trained.model_file.stat().st_size


@pytest.mark.parametrize("side", ["train", "validation", "test"])
def test_a_side_without_records_is_refused_by_name(plan: Plan, tmp_path: Path, side: str) -> None:
    with pytest.raises(TrainingError, match=f"has no record for {side}"):
        train({**toy_sides(), side: []}, tmp_path / "none", plan)
    assert list(tmp_path.iterdir()) == []


def test_what_stands_at_the_place_and_is_no_bundle_is_left_alone(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "champion").write_text("a", encoding="utf-8")
    for place in (tmp_path / "registry", tmp_path / "registry" / "champion", tmp_path / "registry" / ".."):
        with pytest.raises(TrainingError, match="holds something that is no bundle"):
            train(toy_sides(), place, plan)
    assert (tmp_path / "registry" / "champion").read_text(encoding="utf-8") == "a"


def test_what_a_training_goes_on_from_is_that_of_the_same_tags(plan: Plan) -> None:
    swapped = Taxonomy.parse(
        TOML.replace("tags.churn", "tags.x").replace("tags.praise", "tags.churn").replace(".x", ".praise")
    )
    assert swapped.id == plan.taxonomy.id
    assert _digest(swapped) != _digest(plan.taxonomy)


def test_an_encoder_whose_vectors_cannot_be_packed_is_refused_before_it_learns(plan: Plan, tmp_path: Path) -> None:
    odd = tiny_encoder(tmp_path / "odd", [record.text for record in toy_records(60)], width=24)
    with pytest.raises(TrainingError, match="--precision fp32"):
        train(toy_sides(), tmp_path / "model", replace(plan, encoder=str(odd)))
    assert [entry.name for entry in tmp_path.iterdir()] == ["odd"]


@pytest.fixture(scope="session")
def fragile(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that 8 bits spoil: its attention picks one word or another by differences that they blur."""
    folder = tmp_path_factory.mktemp("encoders") / "fragile"
    shutil.copytree(source, folder)
    network = BertModel.from_pretrained(source, add_pooling_layer=False)
    torch.manual_seed(0)
    with torch.no_grad():
        for layer in network.encoder.layer:
            layer.attention.self.query.weight.normal_(0, 6)
            layer.attention.self.key.weight.normal_(0, 6)
            layer.intermediate.dense.weight.normal_(0, 0.3)
            layer.output.dense.weight.normal_(0, 0.3)
    network.save_pretrained(folder)
    return folder


def test_a_model_that_8_bits_would_spoil_is_not_released_and_an_earlier_one_stays(
    trained: Bundle, plan: Plan, fragile: Path, tmp_path: Path
) -> None:
    output = tmp_path / "model"
    shutil.copytree(trained.path, output)
    only_heads = toy_settings(epochs=2, learning_rate=0.0, train_embeddings=False)
    with pytest.raises(GateError, match="8 bits"):
        train(toy_sides(), output, replace(plan, encoder=str(fragile), settings=only_heads))
    assert Bundle.read(output).version == trained.version


def test_what_was_learnt_of_other_sides_is_not_gone_on_from(plan: Plan, fragile: Path, tmp_path: Path) -> None:
    """A training that the gates refused leaves its epochs; the same records on other sides would be tested on them."""
    only_heads = toy_settings(epochs=2, learning_rate=0.0, train_embeddings=False)
    refused, sides, learnt = replace(plan, encoder=str(fragile), settings=only_heads), toy_sides(), []
    for each in (sides, sides, {**sides, "validation": sides["test"], "test": sides["validation"]}):
        told = io.StringIO()
        with pytest.raises(GateError, match="8 bits"):
            train(each, tmp_path / "model", refused, console=Console(file=told, width=200))
        learnt.append("epoch 1: " in told.getvalue())
    assert learnt == [True, False, True]


def test_of_a_long_text_the_largest_output_of_its_windows_counts(bundle: Path) -> None:
    tagger = Tagger.load(bundle, threads=1)
    record = Record(id="long", text="merci " + "la " * 60 + "panne", lang="fr", tags={})
    windows = tagger.encode([record.prepared()])
    assert len(windows) > 1
    np.testing.assert_array_equal(outputs(tagger, [record])[0], tagger.outputs(windows).max(axis=0))
