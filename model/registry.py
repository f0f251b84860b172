"""A folder of bundles with a pointer to the one in use and a history of how it got there.

registry/
  bundles/VERSION/     whole bundles
  champion             the version in use, one line, replaced atomically
  history.jsonl        one line an event, only ever appended to
  reports/VERSION.*    how a version that was retrained compares with the champion of that time
  retraining.json      how far retraining is, or how it ended, replaced atomically
  drift.json           how recent mentions differ from a champion's test texts, replaced atomically

Whoever writes one of these files, or adds a bundle, holds the lock of the folder, so that no two processes do.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from model.bundle import Bundle, written_whole
from model.errors import RegistryError, SupersededError
from model.lines import append

_RETRAINING, _DRIFT = "retraining.json", "drift.json"
_LEFT = re.compile(r"\..+-[0-9a-f]{12}-[a-z0-9_]{8}")
"""What an addition that was killed leaves: a version and what `tempfile` adds. Other hidden folders are people's."""


class Registry:
    """The bundles under one folder, which is made when first written to. RegistryError if it cannot be written."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def versions(self) -> list[str]:
        """The versions held, in alphabetical order."""
        folder = self.path / "bundles"
        return sorted(entry.name for entry in folder.iterdir() if entry.name[0] != ".") if folder.is_dir() else []

    def folder(self, version: str) -> Path:
        """Where a version lies; RegistryError if it is not held."""
        if version not in self.versions():
            raise RegistryError(
                f"{self.path}: version", f"{version!r} is not held", f"Held: {', '.join(self.versions())}"
            )
        return self.path / "bundles" / version

    def add(self, bundle: str | Path) -> str:
        """Copy a bundle in, after checking it; returns its version. Adding it again changes nothing."""
        read = Bundle.read(bundle)
        with self._writing():
            for left in (self.path / "bundles").glob(".*"):
                if _LEFT.fullmatch(left.name):
                    shutil.rmtree(left, ignore_errors=True)
            if read.version not in self.versions():
                with written_whole(self.path / "bundles" / read.version) as draft:
                    shutil.copytree(bundle, draft, dirs_exist_ok=True)
                    Bundle.read(draft)
                self._append("add", read.version)
        return read.version

    def champion(self) -> str | None:
        """The version in use, or None."""
        try:
            return (self.path / "champion").read_text(encoding="utf-8", errors="replace").strip() or None
        except (FileNotFoundError, NotADirectoryError):
            return None

    def champion_folder(self) -> Path:
        """Where the version in use lies; RegistryError if there is none."""
        version = self.champion()
        if version is None:
            raise RegistryError(str(self.path), "has no champion", "Add one: tympan models add BUNDLE --promote")
        return self.folder(version)

    def promote(self, version: str, *, who: str, why: str, back: bool = False, instead_of: str | None = None) -> None:
        """Point to a version that is held and whole; `back` says that it is one of before.

        SupersededError if it is to be promoted `instead_of` a version that is in use no more.
        """
        Bundle.read(self.folder(version))
        with self._writing():
            previous = self.champion()
            if instead_of not in (None, previous):
                raise SupersededError(str(self.path), f"{instead_of} is champion no more", f"See to {previous} first")
            draft = self.path / ".champion"
            draft.write_text(version + "\n", encoding="utf-8")
            # First, so that a kill in between leaves a line too many and never a champion that came from nowhere.
            self._append("promote", version, previous=previous, who=who, why=why, back=back)
            draft.replace(self.path / "champion")

    def previous(self) -> str:
        """The version that the present one replaced; RegistryError if there is none."""
        line = self._line()
        if len(line) < 2:
            raise RegistryError(str(self.path), "has no earlier version to go back to", "Promote another version")
        return line[-2]

    def rollback(self, *, who: str, why: str) -> str:
        """Point to the version that the present one replaced; RegistryError if there is none."""
        champion, version = self.champion(), self.previous()
        self.promote(version, who=who, why=why, back=True, instead_of=champion)
        return version

    def went_back(self) -> bool:
        """Whether the present version is one that somebody went back to."""
        promotions = [event for event in self.history() if event["event"] == "promote"]
        return bool(promotions) and bool(promotions[-1].get("back")) and promotions[-1]["version"] == self.champion()

    def history(self) -> list[dict[str, Any]]:
        """Every event, the oldest first."""
        try:
            lines = (self.path / "history.jsonl").read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            with suppress(ValueError):  # cut short when a disk was full or a machine lost its power
                found.append(json.loads(line))
        return found

    def record(self, event: str, version: str, **details: Any) -> None:  # noqa: ANN401 — JSON
        """Append an event to the history."""
        with self._writing():
            self._append(event, version, **details)

    def retraining(self) -> dict[str, Any]:
        """What was last told of retraining; empty if there was none, or it cannot be read."""
        return self._told(_RETRAINING)

    def tell(self, state: str, **details: Any) -> None:  # noqa: ANN401 — JSON
        """Say how far retraining is."""
        self._tell(_RETRAINING, {"state": state, **details})

    def drift(self) -> dict[str, Any]:
        """What was last told of drift; empty if it was never measured, or that cannot be read."""
        return self._told(_DRIFT)

    def tell_drift(self, version: str, drifts: Sequence[Mapping[str, Any]]) -> None:
        """Say how recent mentions differ from the test texts of a version, as it sees them."""
        self._tell(_DRIFT, {"version": version, "drifts": list(drifts)})

    def refusal(self, version: str) -> str:
        """Why a version did not pass when it was last judged; empty if it passed, or was never judged."""
        judged = [event for event in self.history() if (event["event"], event["version"]) == ("judge", version)]
        return "" if not judged or judged[-1]["passed"] else str(judged[-1]["reasons"][0])

    def _line(self) -> list[str]:
        """The champions, each of which replaced the one before; those that somebody went back from are left out."""
        line: list[str] = []
        for event in self.history():
            if event["event"] == "promote":
                line = _up_to(event["previous"], line)  # without a promotion that was killed
                line = _up_to(event["version"], line) if event.get("back") else [*line, event["version"]]
        return _up_to(self.champion(), line)

    def _told(self, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # there is none, or what wrote it was cut off: it is told again next time
            return {}
        return found

    def _tell(self, name: str, what: Mapping[str, Any]) -> None:
        told = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **what}
        with self._writing():
            draft = self.path / f".{name}"
            draft.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
            draft.replace(self.path / name)

    def _append(self, event: str, version: str, **details: Any) -> None:  # noqa: ANN401 — JSON
        entry = {"event": event, "version": version, "at": datetime.now(UTC).isoformat(), **details}
        with (self.path / "history.jsonl").open("a+b") as file:
            append(file, json.dumps(entry, ensure_ascii=False).encode(errors="replace"))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path / ".lock"):
                yield


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the system refuses to write in the folder of a registry is a RegistryError."""
    try:
        yield
    except OSError as error:
        problem = f"cannot be written: {error.strerror or type(error).__name__}"
        raise RegistryError(str(path), problem, "Make room there, and see who may write") from error


def _up_to(version: str | None, line: list[str]) -> list[str]:
    """`line` to where `version` stands last, or with it at its end."""
    if version is None:
        return []
    return line[: len(line) - line[::-1].index(version)] if version in line else [*line, version]


def resolve(path: str | Path) -> Path:
    """The bundle that `path` means: the folder itself, or the champion of the registry that it is."""
    registry = Registry(path)
    champion = registry.champion()
    return registry.folder(champion) if champion else Path(path)
