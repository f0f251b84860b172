"""Fine-tuning learns, repeats itself, and goes on where it was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.watchlist import OTHER, TARGET
from tests.training.toys import fitted, toy_examples, toy_network, toy_records, toy_settings, toy_sides
from training import encoder as encoders
from training.checkpoint import State
from training.encoder import Encoder
from training.errors import TrainingError
from training.fit import Settings, fit, macro_f1
from training.network import Network

ROOT = Path(__file__).parents[2]
Fitted = tuple[Network, State]


@pytest.fixture(scope="session")
def whole(source: Path) -> Fitted:
    """A network trained without a break."""
    return fitted(source, toy_settings())


def same(one: Network, other: Network) -> bool:
    weights = other.state_dict()
    return all(torch.allclose(value, weights[name], rtol=0, atol=1e-5) for name, value in one.state_dict().items())


def short(**changed: object) -> Settings:
    """Settings of a run that is over in a moment."""
    return toy_settings(epochs=2, train_embeddings=False, **changed)


def test_a_task_that_can_be_learnt_is_learnt(whole: Fitted) -> None:
    assert whole[1].best_score >= 0.9


def test_the_network_is_left_as_it_was_in_its_best_epoch(whole: Fitted, source: Path) -> None:
    network, state = whole
    validation = toy_examples(encoders.load(str(source)), toy_sides()["validation"])
    assert macro_f1(network, validation, 16) == pytest.approx(state.best_score)
    assert not network.training


def test_the_same_seed_gives_the_same_weights_and_another_does_not(source: Path) -> None:
    one, again, other = (fitted(source, short(seed=seed))[0] for seed in (1, 1, 2))
    assert same(one, again)
    assert not same(one, other)


def test_a_run_that_was_killed_goes_on_to_the_same_end(whole: Fitted, source: Path, tmp_path: Path) -> None:
    state = killed_after(2, source, tmp_path)
    assert 2 <= state["epoch"] < toy_settings().epochs
    network, end = fitted(source, toy_settings(), folder=tmp_path)
    assert end == whole[1]
    assert same(network, whole[0])


def killed_after(epochs: int, source: Path, folder: Path) -> dict[str, int]:
    """Start to train in another process, kill it when so many epochs are kept, and return what it left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.toys", str(source), str(folder)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    kept = folder / "state.json"
    try:
        for _ in range(24_000):
            if kept.exists() and json.loads(kept.read_text(encoding="utf-8"))["state"]["epoch"] >= epochs:
                break
            assert process.poll() is None, "training ended before it could be killed"
            time.sleep(0.005)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    state: dict[str, int] = json.loads(kept.read_text(encoding="utf-8"))["state"]
    return state


def test_what_a_kill_left_half_written_is_no_obstacle(source: Path, tmp_path: Path) -> None:
    _, end = fitted(source, short(), folder=tmp_path)
    for name in ("epoch-3.safetensors", "best-3.safetensors", "best-3.safetensors.draft", "state.draft"):
        (tmp_path / name).write_bytes(b"half")
    _, again = fitted(source, short(), folder=tmp_path)
    assert again == end


@pytest.mark.parametrize("other", ["data", "settings", "network"])
def test_another_runs_folder_is_not_gone_on_from(source: Path, tmp_path: Path, other: str) -> None:
    fitted(source, short(seed=7) if other == "settings" else short(), folder=tmp_path, run="first")
    if other == "network":  # such as that of an earlier version
        for file in tmp_path.glob("*.safetensors"):
            save_file({name: value for name, value in load_file(file).items() if "heads.0" not in name}, file)
        kept = json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))
        weights = {name: shape for name, shape in kept["identity"]["weights"].items() if "heads.0" not in name}
        kept["identity"]["weights"] = weights
        (tmp_path / "state.json").write_text(json.dumps(kept), encoding="utf-8")
    network, state = fitted(source, short(), folder=tmp_path, run="second" if other == "data" else "first")
    fresh, expected = fitted(source, short())
    assert state == expected
    assert same(network, fresh)


def test_a_finished_run_that_is_started_again_trains_no_more(source: Path, tmp_path: Path) -> None:
    first, end = fitted(source, short(), folder=tmp_path)
    written = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    again, state = fitted(source, short(), folder=tmp_path)
    assert state == end
    assert same(first, again)
    assert {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == written


def test_no_pickle_and_no_old_epoch_is_left_in_the_folder(source: Path, tmp_path: Path) -> None:
    _, state = fitted(source, short(), folder=tmp_path)
    expected = {"state.json", f"epoch-{state.epoch}.safetensors", f"best-{state.best_epoch}.safetensors"}
    assert {file.name for file in tmp_path.iterdir()} == expected


def test_training_stops_when_validation_gets_no_better(source: Path) -> None:
    idle = toy_settings(epochs=9, patience=2, learning_rate=0.0, head_rate=0.0, train_embeddings=False)
    _, state = fitted(source, idle)
    assert (state.epoch, state.best_epoch) == (3, 1)


def test_new_tokens_rows_are_learnt_while_the_others_stay_as_they_came(source: Path) -> None:
    encoder, settings = encoders.load(str(source)), short()
    network = toy_network(encoder, settings)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    records = [replace(record, text=f"Zed {record.text}", target="Zed") for record in toy_records(120)]
    fit(network, toy_examples(encoder, records), toy_examples(encoder, records), settings=settings)
    after, table = network.state_dict(), "encoder.embeddings.word_embeddings"
    assert torch.equal(after[f"{table}.own"], before[f"{table}.own"])
    first = encoder.tokenizer.get_vocab_size() - encoder.added
    read, unread = (encoder.tokenizer.token_to_id(token) - first for token in (TARGET, OTHER))
    moved = (after[f"{table}.new"] - before[f"{table}.new"]).abs().amax(dim=1)
    assert moved[read] > 10 * moved[unread]  # which no text holds: it decays, and that is all
    layer = "encoder.encoder.layer.0.output.dense.weight"
    assert not torch.equal(after[layer], before[layer])


@pytest.mark.parametrize("empty", ["train", "validation"])
def test_without_records_there_is_nothing_to_train(encoder: Encoder, empty: str) -> None:
    sides = {"train": toy_records(4), "validation": toy_records(4), empty: []}
    train, validation = (toy_examples(encoder, sides[side]) for side in ("train", "validation"))
    with pytest.raises(TrainingError, match="dataset"):
        fit(toy_network(encoder, toy_settings()), train, validation, settings=replace(toy_settings(), epochs=1))
