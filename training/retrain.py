"""New labels in, a challenger out, and it promoted if it is no worse than the champion: all of retraining.

Whatever kills it, it goes on where it was when it is run again: labels are added to the dataset as one version,
training keeps every epoch, a bundle is held whole or not at all, and the champion is a pointer.
"""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from rich.console import Console

from labels.dataset import current, fingerprint, is_dataset, load, manifest_of, split
from labels.errors import LabelError
from labels.merge import merge
from labels.record import read
from labels.versions import add, difference, learnt, versions
from model.bundle import Bundle
from model.errors import RegistryError, SupersededError, TympanError
from model.registry import Registry, writing
from training import challenger, precedent
from training.errors import GateError, TrainingError
from training.gather import gather
from training.order import Order
from training.provenance import tested_on
from training.report import write
from training.trial import compared
from training.withdrawal import withdrawals

WHO = "tympan retrain"
State = Literal["unchanged", "promoted", "kept"]
"""There was nothing new; the challenger is the champion now; or the champion stays (and the challenger is held, unless
its export was refused)."""


@dataclass(frozen=True)
class Outcome:
    """How a retraining ended; `version` and `report` are the challenger's, if its export passed the gates."""

    state: State
    reasons: tuple[str, ...] = ()
    version: str = ""
    report: Path | None = None


def retrain(order: Order, *, console: Console) -> Outcome:
    """Gather, train, compare and promote. TrainingError if another process is at it, or as the steps raise."""
    registry = order.registry
    registry.champion_folder()  # before anything is written where there is no registry
    with _alone(registry):
        told = partial(registry.tell, since=datetime.now(UTC).isoformat(timespec="milliseconds"))
        try:
            outcome = _retrained(order, Bundle.read(registry.champion_folder()), console, told)
        except Exception as error:
            with suppress(RegistryError):  # a disk that is full, which is told by the error itself
                told("failed", reason=one_line(error))
            raise
        except BaseException:
            with suppress(RegistryError):
                told("interrupted")
            raise
        told(outcome.state, version=outcome.version, reasons=list(outcome.reasons))
        return outcome


def one_line(error: Exception) -> str:
    """What people are told of an error: of one that they can mend all, else its kind and place: it may quote a text."""
    if isinstance(error, TympanError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    return f"{type(error).__name__}{place}: {getattr(error, 'strerror', None) or 'a fault of Tympan, or of a library'}"


def _retrained(order: Order, champion: Bundle, console: Console, told: Callable[..., None]) -> Outcome:
    registry = order.registry
    order.rules.check(champion.taxonomy.labels, champion.languages)
    told("gathering")
    base = learnt_from(order, champion)
    after = bring_up_to_date(order, champion, console)
    change = difference(base, after)
    if change.removed:
        problem = f"lacks {len(change.removed):,} records that {champion.version} was trained on"
        remedy = "Give a folder that only `tympan retrain` writes to: --dataset"
        raise TrainingError(str(order.dataset), problem, remedy)
    new = {*change.added, *change.relabelled}
    if not new:
        return Outcome("unchanged", ("there is no label that the champion has not learnt from",))
    dataset = manifest_of(after)["fingerprint"]
    version = precedent.held(order, dataset)
    if version and (found := precedent.judged(order, champion, dataset, version)):
        return _settled(order, champion, found)
    if reason := precedent.refused(order, champion, dataset):
        return Outcome("kept", (reason,))
    told("training", new=len(new))
    try:
        version = version or _made(order, champion, after, new, dataset, console)
    except GateError as error:
        registry.record("refuse", "", **precedent.way(order, champion, dataset), reason=str(error))
        return Outcome("kept", (str(error),))
    told("measuring", new=len(new), version=version)
    console.print(f"comparing {version} with {champion.version}")
    known, today = load(base), load(after)
    trial = compared(
        champion,
        Bundle.read(registry.folder(version)),
        known["test"],
        today["test"],
        rules=order.rules,
        learnt={
            *(record.id for side in ("train", "validation") for record in known[side]),
            *learnt(after),
        },
        recent=order.recent,
        new=len(new),
        withdrawn=withdrawals(*(chain(*sides.values()) for sides in (known, today))),
    )
    report = write(trial, registry.path / "reports")
    if order.recent:
        registry.tell_drift(champion.version, [drift.to_dict() for drift in trial.drifts])
    reasons = trial.verdict.reasons
    registry.record(
        *("judge", version),
        champion=champion.version,
        dataset=dataset,
        rules=order.rules.to_dict(),
        passed=trial.verdict.passed,
        reasons=reasons,
    )
    if not trial.verdict.passed or not order.promote:
        return Outcome("kept", tuple(reasons), version, report)
    return promote(registry, version, champion, report)


def _settled(order: Order, champion: Bundle, judged: Mapping[str, Any]) -> Outcome:
    """What is left to do if these labels were trained on and judged before: only what a kill kept from being done."""
    version = judged["version"]
    if not judged["passed"]:
        return Outcome("kept", tuple(judged["reasons"]), version)
    if order.promote:
        return promote(order.registry, version, champion)
    return Outcome("unchanged", (f"{version}, made of these labels, is held",))


def learnt_from(order: Order, champion: Bundle) -> Path:
    """The version of the dataset that the champion was trained on, made of `base` if there is none at all."""
    learnt = champion.provenance.get("dataset") or champion.provenance["data"]
    kept, tested = versions(order.dataset), champion.provenance.get("tested_on")
    for folder in kept:
        manifest = manifest_of(folder)
        if learnt in manifest.get("former", ()):  # before something was erased, which may have been tested on
            return folder
        if learnt == manifest["fingerprint"] and tested in (None, tested_on(load(folder)["test"])):
            return folder
    if kept:
        problem = f"has no version that {champion.version} was trained on"
        raise TrainingError(str(order.dataset), problem, "Give the dataset that belongs to this registry: --dataset")
    seed = champion.provenance["settings"]["seed"]
    try:
        tags = champion.taxonomy
        sides = load(order.base, tags) if is_dataset(order.base) else split(read(order.base, tags), seed=seed)
    except LabelError as error:
        problem = f"is not what {champion.version} was trained on: {error.where}: {error.problem}"
        raise TrainingError(str(order.base), problem, "Give those records: --base") from error
    records = [record for side in sides.values() for record in side]
    if fingerprint(records) != learnt:
        problem = f"is not what {champion.version} was trained on"
        raise TrainingError(str(order.base), problem, "Give those records, without new ones: --base")
    if champion.provenance.get("tested_on", tested_on(sides["test"])) != tested_on(sides["test"]):
        problem = f"has other test texts than {champion.version} had: it may have learnt from them"
        raise TrainingError(str(order.base), problem, "Give the dataset that it was trained on: --base")
    add(order.dataset, records, taxonomy=champion.taxonomy, seed=seed, sides=sides)
    return versions(order.dataset)[-1]


def bring_up_to_date(order: Order, champion: Bundle, console: Console) -> Path:
    """The newest version of the dataset, after what the sources have was added to it."""
    new = gather(order.sources, champion.taxonomy, tell=lambda line: console.print(line, markup=False))
    known = [record for side in load(order.dataset).values() for record in side]
    seed = champion.provenance["settings"]["seed"]
    add(order.dataset, merge(known, new), taxonomy=champion.taxonomy, seed=seed)
    return current(order.dataset)


def _made(order: Order, champion: Bundle, after: Path, new: set[str], dataset: str, console: Console) -> str:
    """Train a challenger and hold it; returns its version. The gates of the export may raise GateError."""
    output = order.registry.path / ".retraining" / "challenger"
    challenger.make(
        *(champion, load(after), new, output),
        dataset=dataset,
        encoder=order.encoder,
        anew=order.anew,
        console=console,
    )
    version = order.registry.add(output)
    shutil.rmtree(output.parent, ignore_errors=True)
    return version


def promote(registry: Registry, version: str, champion: Bundle, report: Path | None = None) -> Outcome:
    """Promote a challenger that passed, unless people decided otherwise in the meantime or before."""
    if registry.champion() == version:
        return Outcome("promoted", (), version, report)
    superseded = f"{champion.version}, which it was compared with, is champion no more"
    if registry.champion() != champion.version:
        told = superseded
    elif any(event["event"] == "promote" and event["previous"] == version for event in registry.history()):
        told = f"{version} was champion and went back: tympan models promote makes it the champion again"
    elif registry.went_back():  # from a model that may have learnt from the same labels
        told = f"somebody went back to {champion.version}: tympan models promote {version}, if it is better now"
    else:
        why = f"no worse than {champion.version} by the rules of release"
        try:
            registry.promote(version, who=WHO, why=why, instead_of=champion.version)
            return Outcome("promoted", (), version, report)
        except SupersededError:  # while its files were looked through
            told = superseded
    return Outcome("kept", (told,), version, report)


@contextmanager
def _alone(registry: Registry) -> Iterator[None]:
    lock = FileLock(registry.path / ".retraining.lock", timeout=0)
    with writing(registry.path):
        try:
            lock.acquire()
        except Timeout:
            raise TrainingError(str(registry.path), "is being retrained by another process", "Wait for it") from None
    try:
        yield
    finally:
        lock.release()
