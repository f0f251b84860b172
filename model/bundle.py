"""The bundle: one folder that holds a model and all that is needed to run and to trust it.

The files are those of the ecosystem (`config.json`, `tokenizer.json`, `model.onnx`, `README.md`) and
`tympan.json`, which holds what is Tympan's own and the SHA-256 of every other file and of itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.decode import Calibration
from model.errors import BundleError
from model.taxonomy import Taxonomy

SCHEMA = 1
PRETRAINED = Path(__file__).parent / "pretrained"
"""The bundle that ships with Tympan."""


@dataclass(frozen=True)
class Layout:
    """The names of a bundle's files."""

    config: str = "config.json"
    tokenizer: str = "tokenizer.json"
    model: str = "model.onnx"
    card: str = "README.md"
    manifest: str = "tympan.json"

    @property
    def hashed(self) -> tuple[str, ...]:
        """The files whose hashes the manifest holds."""
        return (self.config, self.tokenizer, self.model, self.card)


LAYOUT = Layout()


@dataclass(frozen=True)
class Bundle:
    """A bundle's manifest and where it lies.

    `max_length` is in tokens, special ones included. `metrics` and `provenance` are for people and gates; no
    code that tags reads them.
    """

    path: Path
    taxonomy: Taxonomy
    calibration: Calibration
    max_length: int
    languages: tuple[str, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """`taxonomy name-12 hexadecimal digits` of the files' hashes: two different models never share it."""
        digest = hashlib.sha256(_canonical({"files": dict(self.files), "manifest": self._content()})).hexdigest()
        return f"{self.taxonomy.name}-{digest[:12]}"

    @property
    def model_file(self) -> Path:
        return self.path / LAYOUT.model

    @property
    def tokenizer_file(self) -> Path:
        return self.path / LAYOUT.tokenizer

    def _content(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "taxonomy": self.taxonomy.to_dict(),
            "calibration": {
                "slopes": list(self.calibration.slopes),
                "offsets": list(self.calibration.offsets),
                "thresholds": list(self.calibration.thresholds),
            },
            "max_length": self.max_length,
            "languages": list(self.languages),
            "metrics": dict(self.metrics),
            "provenance": dict(self.provenance),
        }

    def seal(self) -> Bundle:
        """Hash the files in `path` and write the manifest; returns the bundle with its hashes."""
        files = {name: _sha256(self.path / name) for name in LAYOUT.hashed}
        manifest = {**self._content(), "files": files}
        manifest["sha256"] = hashlib.sha256(_canonical(manifest)).hexdigest()
        (self.path / LAYOUT.manifest).write_bytes(_canonical(manifest))
        return Bundle.read(self.path)

    @classmethod
    def read(cls, path: str | Path) -> Bundle:
        """Read a bundle after checking every hash; BundleError says which file is missing or altered."""
        path = Path(path)
        manifest = _manifest(path)
        for name in LAYOUT.hashed:
            if not (path / name).is_file():
                raise BundleError(str(path / name), "is missing", "Copy the bundle again, whole")
            if _sha256(path / name) != manifest["files"].get(name):
                raise BundleError(str(path / name), "was altered since it was written", "Copy the bundle again, whole")
        return cls._of(path, manifest)

    @classmethod
    def described(cls, path: str | Path) -> Bundle:
        """A bundle as its manifest describes it; its other files may be missing or altered, which `read` would tell."""
        return cls._of(Path(path), _manifest(Path(path)))

    @classmethod
    def _of(cls, path: Path, manifest: Mapping[str, Any]) -> Bundle:
        try:
            return cls(
                path=path,
                taxonomy=Taxonomy.from_dict(manifest["taxonomy"]),
                calibration=Calibration(**manifest["calibration"]),
                max_length=manifest["max_length"],
                languages=tuple(manifest["languages"]),
                metrics=manifest["metrics"],
                provenance=manifest["provenance"],
                files=manifest["files"],
            )
        except (KeyError, TypeError) as error:  # whole, but written before a field was added
            raise BundleError(str(path), f"has no {error}", "Make it again with this version") from error


def replaceable(path: Path, mark: str) -> bool:
    """Whether `written_whole` may replace what is at `path`: nothing, an empty folder, or one with a file `mark`."""
    return not path.exists() or (path / mark).is_file() or (path.is_dir() and not any(path.iterdir()))


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A new folder beside `path` to write into, renamed to `path` if the block succeeds and removed if not.

    A folder that stands at `path` already is replaced. BundleError if the place cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise BundleError(str(path), "cannot be written", "Choose another folder") from error
    try:
        draft.chmod(0o755)  # mkdtemp's 0700 would hide the bundle from the user who serves it
        yield draft
        old = path.with_name(f".{path.name}-replaced-{os.getpid()}")
        if path.exists():
            path.rename(old)
        draft.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _manifest(path: Path) -> dict[str, Any]:
    file = path / LAYOUT.manifest
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise BundleError(str(path), f"is no bundle: it has no {LAYOUT.manifest}", "Make one: tympan train") from error
    try:
        manifest = json.loads(raw)
        claimed = manifest.pop("sha256")
        whole = raw == _canonical({**manifest, "sha256": claimed})
        whole = whole and claimed == hashlib.sha256(_canonical(manifest)).hexdigest()
    except (ValueError, KeyError, AttributeError, TypeError):
        whole = False
    if not whole:
        raise BundleError(str(file), "was altered since it was written", "Copy the bundle again, whole")
    if manifest["schema"] != SCHEMA:
        raise BundleError(str(file), f"has schema {manifest['schema']}", f"This version of Tympan reads {SCHEMA}")
    return dict(manifest)


def _canonical(data: Mapping[str, Any]) -> bytes:
    """The one way in which a manifest is written, so that no byte of it can change unseen."""
    return (json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
