"""The virtual environments of the rivals, each made from the pinned file that lies in `benchmarks/rivals`."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.errors import BenchmarkError
from benchmarks.places import RIVALS, ROOT

FOLDER = ROOT / ".venv" / "rivals"


def python(name: str, folder: Path = FOLDER, *, console: Console | None = None) -> Path:
    """The interpreter of a rival's environment in `folder`, which is made if it is missing or not as pinned.

    BenchmarkError if it cannot be made.
    """
    place, stamp, console = folder / name, folder / f"{name}.installed", console or Console(stderr=True)
    interpreter = place / "bin" / "python"
    if interpreter.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == pinned(name):
        return interpreter
    console.print(f"making the environment of {name} in {place}: some minutes, once", markup=False, highlight=False)
    stamp.unlink(missing_ok=True)
    _run(name, sys.executable, "-m", "venv", "--clear", str(place))
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps")  # the file names every package there is to be
    _run(name, str(interpreter), "-m", "pip", "install", *quiet, "-r", str(RIVALS / f"{name}.txt"))
    stamp.write_text(pinned(name), encoding="ascii")
    return interpreter


def pinned(name: str) -> str:
    """16 hexadecimal digits of what a rival's environment is made from."""
    return hashlib.sha256((RIVALS / f"{name}.txt").read_bytes()).hexdigest()[:16]


def versions(name: str) -> dict[str, str]:
    """Package → version in a rival's environment."""
    lines = (RIVALS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def _run(name: str, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)  # noqa: S603 — made up above
    if done.returncode:
        problem = f"cannot be made: {done.stderr.strip()[-300:]}"
        raise BenchmarkError(f"environment {name}", problem, "Mend it, or leave the rival out by --only")
