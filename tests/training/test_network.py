"""What the network learns from, and what it must not learn from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from model.watchlist import OTHER, TARGET
from tests.training.toys import TOY, toy_network, toy_records, toy_settings
from training.encoder import Encoder
from training.examples import Examples
from training.losses import asymmetric, cross_entropy
from training.network import RARE_WEIGHT, Network

INTENT, TOPIC, MOOD = (TOY.slices[name] for name in ("intent", "topic", "mood"))


@pytest.fixture
def network(encoder: Encoder) -> Network:
    return toy_network(encoder, toy_settings(train_embeddings=False, dropout=0.0))


@pytest.fixture
def examples(encoder: Encoder) -> Examples:
    return Examples.encode(toy_records(8), TOY, encoder.tokenizer, 32)


def gradients(network: Network, examples: Examples, targets: Tensor, known: Tensor) -> dict[str, Tensor]:
    """Of every parameter that has one, after one step backwards."""
    network.zero_grad(set_to_none=True)
    network.loss(network(*examples.tensors(range(len(examples)))), targets, known).backward()
    return {name: weight.grad.clone() for name, weight in network.named_parameters() if weight.grad is not None}


def padded(encoder: Encoder, texts: list[str]) -> tuple[Tensor, Tensor]:
    """Token ids and mask, both (texts, longest)."""
    found = Examples([encoding.ids for encoding in encoder.tokenizer.encode_batch(texts)], *([np.zeros((0, 0))] * 2))
    return found.tensors(range(len(texts)))


def truth(examples: Examples) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(examples.targets).clone(), torch.from_numpy(examples.known).clone()


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_mixed_precision_learns_nearly_the_same_and_answers_exactly_the_same(
    network: Network, examples: Examples
) -> None:
    batch = examples.tensors(range(len(examples)))
    logits, learnt = {}, {}
    for mixed in (True, False):
        network.mixed = mixed
        learnt[mixed] = gradients(network.train(), examples, *truth(examples))
        logits[mixed] = network.eval()(*batch).detach()
    assert torch.equal(logits[True], logits[False])
    assert not same(learnt[True], learnt[False])  # or it was not mixed at all
    for name, gradient in learnt[False].items():
        assert learnt[True][name].dtype == torch.float32
        assert (learnt[True][name] - gradient).norm() <= 0.05 * gradient.norm() + 1e-6, name


def test_a_text_is_the_mean_of_its_tokens_and_half_that_of_its_targets(network: Network, encoder: Encoder) -> None:
    texts = ["where is it", f"{OTHER} is worse", f"{TARGET} is better than {OTHER} and {TARGET} knows"]
    ids, mask = padded(encoder, texts)
    network.eval()
    states = network.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    for row in range(len(texts)):
        own = states[row][mask[row] > 0]
        pooled = own.mean(dim=0)
        marked = states[row][ids[row] == network.target]
        assert len(marked) == texts[row].count(TARGET)
        if len(marked):
            pooled = (pooled + marked.mean(dim=0)) / 2
        wanted = torch.cat([head(pooled) for head in network.heads])
        assert torch.allclose(network(ids, mask)[row], wanted, atol=1e-6)


@pytest.mark.parametrize("group", ["intent", "topic", "mood"])
def test_an_unlabelled_group_teaches_its_head_nothing(network: Network, examples: Examples, group: str) -> None:
    targets, known = truth(examples)
    known[:, TOY.slices[group]] = 0
    found = gradients(network, examples, targets, known)
    for name, head in zip(("intent", "topic", "mood"), range(3), strict=True):
        assert bool(found[f"heads.{head}.weight"].any()) == (name != group)


@pytest.mark.parametrize("column", range(len(TOY.labels)), ids=TOY.labels)
def test_what_an_unknown_cell_holds_changes_no_gradient(network: Network, examples: Examples, column: int) -> None:
    targets, known = truth(examples)
    known[3, column] = 0
    before = gradients(network, examples, targets, known)
    targets[3, column] = 1 - targets[3, column]
    assert same(gradients(network, examples, targets, known), before)


@pytest.mark.parametrize("column", range(len(TOY.labels)), ids=TOY.labels)
def test_what_a_known_cell_holds_does(network: Network, examples: Examples, column: int) -> None:
    targets, known = truth(examples)
    before = gradients(network, examples, targets, known)
    targets[3, column] = 1 - targets[3, column]
    assert not same(gradients(network, examples, targets, known), before)


def test_an_unsure_tag_of_a_multi_label_group_leaves_the_others_their_lesson(
    network: Network, examples: Examples
) -> None:
    targets, known = truth(examples)
    known[:, TOPIC.start] = 0
    lesson = gradients(network, examples, targets, known)["heads.1.weight"]
    assert not lesson[0].any()
    assert all(row.any() for row in lesson[1:])


def test_the_loss_of_a_multi_label_group_is_the_sum_of_its_cells_for_each_text(network: Network) -> None:
    logits = torch.randn(4, len(TOY.labels), generator=torch.Generator().manual_seed(1))
    targets, known = torch.zeros_like(logits), torch.zeros_like(logits)
    targets[1, 0] = targets[2, 1] = 1
    known[:, INTENT] = 1
    for cells in (asymmetric, cross_entropy):
        costs = cells(logits[:, INTENT], targets[:, INTENT]).sum().item() / 4
        assert network.loss(logits, targets, known, cells) == pytest.approx(costs)


@pytest.mark.parametrize(("cases", "rare"), [(3, True), (20, False)])
def test_a_group_of_rare_tags_has_the_asymmetric_loss_and_others_cross_entropy(
    network: Network, cases: int, rare: bool
) -> None:
    targets = torch.zeros(40, len(TOY.labels))
    targets[:cases, INTENT] = 1  # of 40: on either side of one in ten
    network.start_from_shares(targets, torch.ones_like(targets))
    assert network.rare[INTENT].tolist() == [rare] * (INTENT.stop - INTENT.start)
    logits = torch.randn(40, len(TOY.labels), generator=torch.Generator().manual_seed(3))
    wanted = RARE_WEIGHT * asymmetric(logits, targets) if rare else cross_entropy(logits, targets)
    assert torch.equal(network.costs(logits, targets)[:, INTENT], wanted[:, INTENT])


def test_the_loss_of_an_exclusive_group_is_cross_entropy(network: Network) -> None:
    logits = torch.randn(4, len(TOY.labels), generator=torch.Generator().manual_seed(2))
    targets, known = torch.zeros_like(logits), torch.zeros_like(logits)
    chosen = torch.tensor([0, 2, 1, 2])
    targets[torch.arange(4), MOOD.start + chosen] = 1
    known[:, MOOD] = 1
    assert network.loss(logits, targets, known) == pytest.approx(
        functional.cross_entropy(logits[:, MOOD], chosen).item()
    )


def test_none_of_an_exclusive_group_is_learnt_as_all_equally_likely(network: Network) -> None:
    targets, known = torch.zeros(1, len(TOY.labels)), torch.zeros(1, len(TOY.labels))
    known[:, MOOD] = 1
    logits = torch.zeros(1, len(TOY.labels), requires_grad=True)
    network.loss(logits, targets, known).backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6  # nothing left to learn
    leaning = torch.zeros(1, len(TOY.labels))
    leaning[0, MOOD.start] = 2.0
    assert network.loss(leaning, targets, known) > network.loss(logits, targets, known)


def test_with_frozen_embeddings_only_the_new_tokens_rows_learn(network: Network, encoder: Encoder) -> None:
    examples = Examples.encode(toy_records(2), TOY, encoder.tokenizer, 32)
    examples.ids[0][1] = encoder.tokenizer.token_to_id(TARGET)
    found = gradients(network, examples, *truth(examples))
    table = "encoder.embeddings.word_embeddings"
    assert f"{table}.own" not in found
    assert found[f"{table}.new"][0].any()
    assert not found[f"{table}.new"][1].any()  # OTHER stood nowhere


def test_embeddings_that_are_trained_learn_where_their_tokens_stood(encoder: Encoder) -> None:
    network = toy_network(encoder, toy_settings(train_embeddings=True))
    examples = Examples.encode(toy_records(2), TOY, encoder.tokenizer, 32)
    rows = gradients(network, examples, *truth(examples))["encoder.embeddings.word_embeddings.own"]
    stood = {token for ids in examples.ids for token in ids} | {0}  # 0 fills the shorter text up
    assert {int(row) for row in rows.any(dim=1).nonzero()} <= stood
    assert {examples.ids[0][1], examples.ids[1][1]} <= {int(row) for row in rows.any(dim=1).nonzero()}


def test_every_token_has_the_vector_that_its_encoder_gave_it(encoder: Encoder) -> None:
    before = encoder.network.get_input_embeddings().weight.detach().clone()
    table = toy_network(encoder, toy_settings()).encoder.get_input_embeddings()
    assert torch.equal(table(torch.arange(len(before))), before)
    target, other = (encoder.tokenizer.token_to_id(token) for token in (TARGET, OTHER))
    assert torch.equal(table(torch.tensor([[target, other, 7]]))[0], before[[target, other, 7]])


def test_padding_changes_no_answer(network: Network, examples: Examples) -> None:
    network.eval()
    with torch.inference_mode():
        together = network(*examples.tensors(range(8)))
        alone = torch.cat([network(*examples.tensors([position])) for position in range(8)])
    assert together.shape == (8, len(TOY.labels))
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_before_training_the_heads_say_how_frequent_each_tag_is(network: Network) -> None:
    targets, known = torch.zeros(99, len(TOY.labels)), torch.ones(99, len(TOY.labels))
    targets[:24, 0] = 1
    known[49:, 1] = 0  # 0 of 49
    targets[:33, MOOD.start], targets[33:, MOOD.start + 1] = 1, 1
    network.start_from_shares(targets, known)
    intent, mood = network.heads[0].bias.sigmoid(), network.heads[2].bias.softmax(dim=0)
    assert intent.tolist() == pytest.approx([24.5 / 100, 0.5 / 50])
    assert mood.tolist() == pytest.approx([1 / 3, 2 / 3, 0], abs=0.01)
