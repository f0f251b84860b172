"""The weights that a bundle keeps, and training that goes on from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.bundle import Bundle
from model.taxonomy import Taxonomy
from tests.training.toys import TOML, TOY, toy_settings, toy_sides
from training import encoder as encoders
from training import weights
from training.errors import TrainingError
from training.network import Network
from training.pipeline import train
from training.plan import Plan

ids, mask = torch.tensor([[0, 7, 9, 4, 2]]), torch.ones(1, 5, dtype=torch.long)


@pytest.fixture(scope="module")
def network(source: Path) -> Network:
    torch.manual_seed(3)
    return Network(encoders.load(str(source)), TOY, train_embeddings=False).eval()


@pytest.fixture
def kept(network: Network, source: Path, tmp_path: Path) -> Path:
    weights.save(network, encoders.load(str(source)).tokenizer, tmp_path / "checkpoint", encoder="toy")
    return tmp_path / "checkpoint"


def restored(folder: Path, taxonomy: Taxonomy) -> Network:
    found = weights.load(folder)
    torch.manual_seed(99)
    other = Network(found.encoder, taxonomy, train_embeddings=False).eval()
    found.give(other)
    return other


def test_the_network_that_comes_back_answers_the_same(network: Network, kept: Path) -> None:
    with torch.inference_mode():
        assert torch.equal(restored(kept, TOY)(ids, mask), network(ids, mask))


def test_it_needs_nothing_but_its_own_folder_and_says_what_it_was_made_from(kept: Path) -> None:
    assert weights.load(kept).encoder.name == "toy"
    assert {file.suffix for file in kept.iterdir()} == {".json", ".safetensors"}


def test_a_tag_keeps_what_it_learnt_when_others_come_before_it(network: Network, kept: Path) -> None:
    wider = Taxonomy.parse(TOML.replace("[groups.intent]", "[groups.intent]\n[groups.intent.tags.appeal]"))
    with torch.inference_mode():
        before = dict(zip(TOY.labels, network(ids, mask)[0].tolist(), strict=True))
        after = dict(zip(wider.labels, restored(kept, wider)(ids, mask)[0].tolist(), strict=True))
    assert len(after) > len(before)
    assert {label: after[label] for label in before} == pytest.approx(before)


def test_a_tag_keeps_its_loss_and_a_new_one_has_that_of_its_share(
    network: Network, source: Path, tmp_path: Path
) -> None:
    wider = Taxonomy.parse(TOML.replace("[groups.intent]", "[groups.intent]\n[groups.intent.tags.appeal]"))
    other = Network(encoders.load(str(source)), wider, train_embeddings=False)
    targets = torch.ones(40, len(wider.labels))
    other.start_from_shares(targets, targets)  # every tag is frequent where learning goes on
    network.rare[:2] = torch.tensor([True, False])
    weights.save(network, encoders.load(str(source)).tokenizer, tmp_path / "checkpoint", encoder="toy")
    weights.load(tmp_path / "checkpoint").give(other)
    rare = dict(zip(wider.labels, other.rare.tolist(), strict=True))
    assert [rare[label] for label in TOY.labels[:2]] == [True, False]
    assert not rare["intent/appeal"]


def test_weights_that_were_altered_are_refused(kept: Path) -> None:
    file = kept / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x07")
    with pytest.raises(TrainingError, match="altered"):
        weights.load(kept)


def test_weights_that_are_missing_are_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="checkpoint"):
        weights.load(tmp_path / "checkpoint")


def test_training_goes_on_where_the_earlier_bundle_stood(plan: Plan, tmp_path: Path) -> None:
    first = train(toy_sides(), tmp_path / "first", replace(plan, keep_weights=True))
    barely = replace(toy_settings(), epochs=1, learning_rate=1e-9, head_rate=1e-9)
    again = replace(plan, start=first.path / weights.FOLDER, settings=barely, encoder="nowhere")
    second = train(toy_sides(), tmp_path / "second", again)
    for name, group in first.metrics["test"]["groups"].items():
        assert second.metrics["test"]["groups"][name]["tags"] == group["tags"]
    assert second.provenance["start"] == first.path.name
    assert second.provenance["encoder"] == first.provenance["encoder"]
    assert Bundle.read(second.path).version != first.version
