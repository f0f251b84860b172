"""Fine-tuning: one network, one dataset, seeded, resumable after a kill.

What is validated and kept is the running mean of the weights, not the last ones, which swing with the last batches
(Polyak & Juditsky, "Acceleration of stochastic approximation by averaging", 1992).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

from training.average import Average
from training.checkpoint import Checkpoint, State, trained
from training.errors import TrainingError
from training.evaluate import summary
from training.examples import Examples
from training.network import Network


@dataclass(frozen=True)
class Settings:
    """How to train. Rates are per step of AdamW; `layer_decay` multiplies the rate once for every layer further down.

    `patience` is the number of epochs without a better validation macro-F1 after which training stops. `averaging` is
    the number of epochs over which the running mean of the weights looks back: an older step counts for e times less.
    """

    epochs: int = 8
    batch_size: int = 16
    learning_rate: float = 2e-4
    head_rate: float = 5e-3
    layer_decay: float = 0.9
    weight_decay: float = 0.01
    warm_up: float = 0.1
    dropout: float = 0.1
    train_embeddings: bool = False
    max_length: int = 128
    patience: int = 3
    averaging: float = 0.5
    seed: int = 0

    def fine_tuning(self) -> Settings:
        """Small steps and few, for a network that was trained with these settings and is to learn a little more.

        The first epoch that is no better than the one before is the last: what is read again was learnt before, and is
        soon known by heart.
        """
        gently = replace(self, learning_rate=self.learning_rate / 4, head_rate=self.head_rate / 10)
        return replace(gently, epochs=3, patience=1)


def fit(
    network: Network,
    train: Examples,
    validation: Examples,
    *,
    settings: Settings,
    folder: Path | None = None,
    run: str = "",
    console: Console | None = None,
) -> State:
    """Train `network` in place and leave it with the weights of its best epoch on `validation`.

    With a `folder`, every epoch is kept there, and a run that was killed goes on from the last whole epoch. What
    another run left there, told by `settings` and `run` (such as the data's fingerprint), is removed.
    """
    if not len(train) or not len(validation):
        raise TrainingError("dataset", "has no record to train on or none to validate with", "Label more mentions")
    seed(settings.seed)
    groups = _parameter_groups(network, settings)
    optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)
    steps = math.ceil(len(train) / settings.batch_size)
    average = Average(network, settings.averaging * steps)
    checkpoint = Checkpoint(folder, network, optimiser, average, {**asdict(settings), "run": run}) if folder else None
    state = checkpoint.restore() if checkpoint else State()
    best = checkpoint.best(state) if checkpoint and state.epoch else trained(network)
    factor = warm_up_and_decay(steps * settings.epochs, settings.warm_up)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor, last_epoch=state.epoch * steps - 1)
    with progress(console) as bar:
        task = bar.add_task("training", total=steps * settings.epochs, completed=state.epoch * steps, figures="")
        while state.epoch < settings.epochs and not _exhausted(state, settings):
            losses = []
            for loss in _epoch(network, train, optimiser, schedule, settings, state.epoch):
                average.update()
                losses.append(loss)
                bar.update(task, advance=1, figures=f"loss {np.mean(losses[-50:]):.3f}")
            with average.in_place():
                score = macro_f1(network, validation, settings.batch_size)
                state.epoch += 1
                if score > state.best_score:
                    state.best_score, state.best_epoch, best = score, state.epoch, trained(network)
            figures = f"epoch {state.epoch}: loss {np.mean(losses):.3f}, validation macro-F1 {100 * score:.1f}"
            bar.console.print(figures, style="dim")
            if checkpoint:
                checkpoint.save(state, best)
    network.load_state_dict(best, strict=False)
    network.eval()
    return state


def _exhausted(state: State, settings: Settings) -> bool:
    """Whether it gets no better; counted from the first tag that it gets right, which few texts make come late."""
    return state.best_score > 0 and state.epoch - state.best_epoch >= settings.patience


def seed(value: int) -> None:
    """Seed every source of randomness that training uses."""
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)


def predict(network: Network, examples: Examples, batch_size: int = 64) -> Tensor:
    """Logits (texts, labels) of the network as it is, in the order of `examples`."""
    return _computed(network, network, examples, examples.targets.shape[1], batch_size)


def vectors(network: Network, examples: Examples, batch_size: int = 64) -> Tensor:
    """What the heads would see of each text (texts, width), in the order of `examples`."""
    return _computed(network, network.vectors, examples, network.encoder.config.hidden_size, batch_size)


def _computed(
    network: Network, compute: Callable[[Tensor, Tensor], Tensor], examples: Examples, width: int, batch_size: int
) -> Tensor:
    """What `compute` makes of each text (texts, width), in the order of `examples`."""
    network.eval()
    found = torch.zeros(len(examples), width)
    with torch.inference_mode():
        for batch in examples.batches(batch_size):
            found[torch.from_numpy(batch)] = compute(*examples.tensors(batch))
    return found


def macro_f1(network: Network, examples: Examples, batch_size: int) -> float:
    """The mean over groups of macro-F1 at probability 0.5 (the likeliest tag if exclusive) over tags that occur."""
    logits = predict(network, examples, batch_size).numpy()
    scores = []
    for group in network.taxonomy.groups:
        columns = network.taxonomy.slices[group.name]
        outputs, targets, known = logits[:, columns], examples.targets[:, columns], examples.known[:, columns]
        if group.kind == "multi-label":
            chosen = outputs > 0
        else:
            chosen = np.eye(len(group.tags), dtype=bool)[outputs.argmax(axis=1)]
        if (targets * known).any():
            scores.append(summary(targets > 0, chosen, known > 0)["macro_f1"])
    return float(np.mean(scores)) if scores else 0.0


def _epoch(
    network: Network,
    train: Examples,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    settings: Settings,
    epoch: int,
) -> Iterator[float]:
    seed(settings.seed + epoch)  # so that a resumed run draws what an uninterrupted one would
    network.train()
    targets, known = torch.from_numpy(train.targets), torch.from_numpy(train.known)
    for batch in train.batches(settings.batch_size, shuffle=np.random.default_rng([settings.seed, epoch])):
        rows = torch.from_numpy(batch)
        loss = network.loss(network(*train.tensors(batch)), targets[rows], known[rows])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        yield loss.item()


def _parameter_groups(network: Network, settings: Settings) -> list[dict[str, object]]:
    """One group a parameter: all but the encoder at `head_rate`, layers at a rate that decays downwards."""
    depth = network.encoder.config.num_hidden_layers
    groups: list[dict[str, object]] = []
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        parts = name.split(".")
        if parts[0] != "encoder":
            rate = settings.head_rate
        elif "layer" in parts:
            rate = settings.learning_rate * settings.layer_decay ** (depth - 1 - int(parts[parts.index("layer") + 1]))
        else:
            rate = settings.learning_rate * settings.layer_decay**depth
        if name.endswith("embeddings.new"):
            rate = settings.head_rate  # new tokens start from nothing
        decay = settings.weight_decay if parameter.ndim > 1 else 0.0
        # The schedule of a run that goes on starts in its middle, and asks for the rate that it scales.
        groups.append({"params": [parameter], "lr": rate, "initial_lr": rate, "weight_decay": decay})
    return groups


def warm_up_and_decay(steps: int, warm_up: float) -> Callable[[int], float]:
    """A factor of the rate: rising to 1 over the share `warm_up` of the steps, then falling to 0, both straight."""
    rising = max(1, round(steps * warm_up))

    def factor(step: int) -> float:
        return (step + 1) / rising if step < rising else max(0.0, (steps - step) / max(1, steps - rising))

    return factor


def progress(console: Console | None) -> Progress:
    """A bar with how far it is, how long it took and takes, and the field `figures`."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
        console=console or Console(stderr=True),
    )
