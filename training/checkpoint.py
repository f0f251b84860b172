"""Where training stands after an epoch, kept on disk so that a killed run goes on from there."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.average import Average
from training.network import Network


@dataclass
class State:
    """Where training stands after a whole number of epochs."""

    epoch: int = 0
    best_epoch: int = 0
    best_score: float = -1.0


def trained(network: Network) -> dict[str, Tensor]:
    """A copy of the weights that training changes."""
    return {name: value.detach().clone() for name, value in network.named_parameters() if value.requires_grad}


class Checkpoint:
    """The folder a killed run goes on from: weights, their mean, the optimiser's moments and the state, no pickle."""

    def __init__(
        self,
        folder: Path,
        network: Network,
        optimiser: torch.optim.Optimizer,
        average: Average,
        identity: dict[str, object],
    ) -> None:
        self._folder = folder
        self._network = network
        self._optimiser = optimiser
        self._average = average
        learning = {name: value for name, value in network.named_parameters() if value.requires_grad}
        self._identity = {**identity, "weights": {name: list(value.shape) for name, value in learning.items()}}

    def save(self, state: State, best: dict[str, Tensor]) -> None:
        """Write all files of this epoch, then the state that names them: a kill in between loses one epoch only."""
        self._folder.mkdir(parents=True, exist_ok=True)
        names = {id(value): name for name, value in self._network.named_parameters()}
        tensors = {f"weights/{name}": value for name, value in trained(self._network).items()}
        tensors |= {f"average/{name}": value for name, value in self._average.values.items()}
        for parameter, values in self._optimiser.state.items():
            for key, value in values.items():
                tensors[f"optimiser/{names[id(parameter)]}/{key}"] = value
        last = f"epoch-{state.epoch}.safetensors"
        self._write(tensors, last)
        self._write(best, f"best-{state.best_epoch}.safetensors")
        draft = self._folder / "state.draft"
        draft.write_text(
            json.dumps({"state": asdict(state), "steps": self._average.taken, "identity": self._identity}),
            encoding="utf-8",
        )
        draft.replace(self._folder / "state.json")
        for file in self._folder.glob("*.safetensors"):
            if file.name not in (last, f"best-{state.best_epoch}.safetensors"):
                file.unlink()

    def restore(self) -> State:
        """Load the last whole epoch of this run into the network and optimiser; a fresh State if there is none."""
        file = self._folder / "state.json"
        if not file.exists():
            return State()
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["identity"] != self._identity:
            shutil.rmtree(self._folder)
            return State()
        state = State(**kept["state"])
        names = (f"epoch-{state.epoch}.safetensors", f"best-{state.best_epoch}.safetensors")
        if not all((self._folder / name).exists() for name in names):  # killed while the folder was removed
            shutil.rmtree(self._folder)
            return State()
        self._average.taken = kept["steps"]
        tensors = load_file(self._folder / f"epoch-{state.epoch}.safetensors")
        parameters = dict(self._network.named_parameters())
        with torch.no_grad():
            for name, value in tensors.items():
                kind, _, rest = name.partition("/")
                if kind == "weights":
                    parameters[rest].copy_(value)
                elif kind == "average":
                    self._average.values[rest].copy_(value)
                else:
                    path, _, key = rest.rpartition("/")
                    self._optimiser.state[parameters[path]][key] = value
        return state

    def best(self, state: State) -> dict[str, Tensor]:
        """The weights of the best epoch so far."""
        return dict(load_file(self._folder / f"best-{state.best_epoch}.safetensors"))

    def _write(self, tensors: dict[str, Tensor], name: str) -> None:
        """Write a file whole: what stood there stays until then."""
        draft = self._folder / f"{name}.draft"
        save_file(tensors, draft)
        draft.replace(self._folder / name)
