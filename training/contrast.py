"""Few labels of one group: texts that share a tag are drawn together and others apart, then the head is fitted.

As SetFit does (Tunstall et al., "Efficient few-shot learning without prompts", 2022): the squared error of the cosine
of two vectors, as many pairs of either kind, small steps, and a logistic regression on what comes out, whose
probabilities are taken as they are: nothing is kept back to fit thresholds to. Unlike it, a fixed number of steps is
taken: every pair once is too few with 8 texts a tag, and takes hours with 64.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from torch import Tensor, nn

from training.errors import TrainingError
from training.examples import Examples
from training.fit import progress, seed, vectors, warm_up_and_decay
from training.losses import cross_entropy
from training.network import Network

PAIRS, STEPS, RATE = 16, 120, 2e-5
SETTINGS = {"pairs": PAIRS, "steps": STEPS, "learning_rate": RATE}
"""Pairs of each step, steps, and the rate of each."""
_DRAWN = 4_000  # pairs at random, among which those of either kind are looked for
_LENGTH = 10.0  # of centred vectors on average, so that the penalty is the same whatever the encoder
_WARM_UP = 0.1


def learnt(provenance: Mapping[str, Any]) -> bool:
    """Whether a bundle of this `provenance` learnt from pairs: then from its validation side as well."""
    return "pairs" in provenance.get("adapted", {})


def fit(
    network: Network,
    examples: Examples,
    *,
    seeded: int = 0,
    steps: int = STEPS,
    rate: float = RATE,
    console: Console | None = None,
) -> None:
    """Train `network`, whose taxonomy has one group, in place. A run that was killed begins anew: it takes minutes."""
    seed(seeded)
    body = [value for name, value in network.named_parameters() if value.requires_grad and "heads" not in name]
    optimiser = torch.optim.AdamW(body, lr=rate, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, warm_up_and_decay(steps, _WARM_UP))
    kinds, chance = _kinds(examples), np.random.default_rng(seeded)
    network.train()
    with progress(console) as bar:
        task = bar.add_task("drawing texts of one tag together", total=steps, figures="")
        for _ in range(steps):
            pairs, alike = _pairs(kinds, chance)
            if not len(pairs):  # there is one text only
                break
            loss = _loss(network, examples, pairs, alike)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            nn.utils.clip_grad_norm_(body, 1.0)
            optimiser.step()
            schedule.step()
            bar.update(task, advance=1, figures=f"loss {loss.item():.3f}")
    network.eval()
    fit_head(network, examples)


def fit_head(network: Network, examples: Examples) -> None:
    """Logistic regression on the vectors of `examples` as they are: of all tags together if exclusive, else of each."""
    found = vectors(network, examples)
    middle = found.mean(dim=0)
    scale = _LENGTH / (found - middle).norm(dim=1).mean().clamp(min=1e-6)
    inputs, heads = (found - middle) * scale, [cast(nn.Linear, head) for head in network.heads]
    targets, known = torch.from_numpy(examples.targets), torch.from_numpy(examples.known)
    parameters = [value for head in heads for value in (head.weight, head.bias)]
    for head in heads:
        nn.init.zeros_(head.weight)
    optimiser = torch.optim.LBFGS(parameters, max_iter=500, line_search_fn="strong_wolfe")

    def cost() -> Tensor:
        optimiser.zero_grad()
        logits = torch.cat([head(inputs) for head in heads], dim=1)
        loss = len(examples) * network.loss(logits, targets, known, cross_entropy)
        loss = loss + sum(head.weight.square().sum() for head in heads) / 2
        loss.backward()  # type: ignore[no-untyped-call]  # as above
        return loss

    optimiser.step(cost)  # type: ignore[no-untyped-call]
    with torch.no_grad():  # as one layer on the vectors as they are
        for head in heads:
            head.weight.mul_(scale)
            head.bias.sub_(head.weight @ middle)


def _kinds(examples: Examples) -> npt.NDArray[np.bool_]:
    """The tags of each text (texts, tags and one for none), nothing of those that are not sure."""
    tags = examples.targets > 0
    kinds = np.column_stack([tags, ~tags.any(axis=1)])
    kinds[(examples.known == 0).any(axis=1)] = False
    return kinds


def _pairs(
    kinds: npt.NDArray[np.bool_], chance: np.random.Generator
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Positions (pairs, 2) of two texts, and whether they share a tag: half of them do, if there are as many."""
    sure = np.flatnonzero(kinds.sum(axis=1))
    if not len(sure):
        raise TrainingError("records", "have no text whose tags are all labelled and sure", "Label some in every group")
    drawn = chance.choice(sure, size=(_DRAWN, 2))
    drawn = drawn[drawn[:, 0] != drawn[:, 1]]
    alike = (kinds[drawn[:, 0]] & kinds[drawn[:, 1]]).sum(axis=1) > 0
    rows = np.concatenate([np.flatnonzero(alike)[: PAIRS // 2], np.flatnonzero(~alike)[: PAIRS // 2]])
    return drawn[rows], alike[rows]


def _loss(network: Network, examples: Examples, pairs: npt.NDArray[np.intp], alike: npt.NDArray[np.bool_]) -> Tensor:
    texts, places = np.unique(pairs, return_inverse=True)
    vectors = network.vectors(*examples.tensors(texts))
    first, second = (vectors[torch.from_numpy(column)] for column in places.reshape(-1, 2).T)
    wanted = torch.from_numpy(alike.astype(np.float32))
    return nn.functional.mse_loss(nn.functional.cosine_similarity(first, second), wanted)
