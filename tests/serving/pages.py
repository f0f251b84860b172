"""A page of documentation as programs to run: its sections, their blocks, and what each block should print."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_ADDRESS = "http://127.0.0.1:8000"
_VERSION = re.compile(r"[a-z]+-[0-9a-f]{12}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)")
_NEAR = 0.05  # processors that multiply 8-bit numbers in another way move a score by less
PROGRAMS = {"sh": ("bash", "-euo", "pipefail"), "python": (sys.executable,), "js": ("node",)}
_PACKAGES = {"bash": "bash", "curl": "curl", "node": "nodejs"}


@dataclass(frozen=True)
class Block:
    """Lines between fences, in the language that the fence names."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that it is to be saved as, if its first line says so."""
        found = re.match(r"(?:#|//) ([\w.]+)\n", self.text)
        return found[1] if found else None

    @property
    def silent(self) -> bool:
        """Whether it only makes something, and prints nothing."""
        return bool(self.file) or "--output " in self.text


def sections(page: Path) -> dict[str, list[Block]]:
    """Heading → the blocks under it."""
    _, *parts = re.split(r"^## (.+)\n", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        heading: [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)]
        for heading, body in zip(parts[::2], parts[1::2], strict=True)
    }


def pieces(blocks: list[Block]) -> list[tuple[list[Block], Block | None]]:
    """The programs that print the same, and that; None for programs of which the page shows no output."""
    found: list[tuple[list[Block], Block | None]] = []
    programs: list[Block] = []
    for block in blocks:
        if block.language in PROGRAMS:
            programs.append(block)
        else:
            found.append((programs, block))
            programs = []
    return [*found, (programs, None)] if programs else found


def need(program: str) -> None:
    """Fail with the package to install if a program is not there."""
    if shutil.which(program) is None:
        pytest.fail(f"{program} is missing: install the package {_PACKAGES[program]} (make system-deps)", pytrace=False)


def save(blocks: Mapping[str, list[Block]], folder: Path) -> None:
    """Save what is to be a file."""
    for block in (block for found in blocks.values() for block in found):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")


def command(block: Block, folder: Path) -> list[str]:
    """What runs a block."""
    for program in ("bash", "curl") if block.language == "sh" else ("node",) if block.language == "js" else ():
        need(program)
    ending = {"sh": "sh", "python": "py", "js": "mjs"}[block.language]
    script = folder / f"block.{ending}"
    script.write_text(block.text, encoding="utf-8")
    return [*PROGRAMS[block.language], str(script)]


def surroundings(url: str, **more: str) -> dict[str, str]:
    """The environment in which the page's programs find the service, and nothing else of Tympan's."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("TYMPAN_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{others['PATH']}"
    return {**others, "PATH": path, "TYMPAN_URL": url, **more}


def printed(block: Block, folder: Path, url: str, **environment: str) -> str:
    """What a block prints; it fails if the block does."""
    block = Block(block.language, block.text.replace(_ADDRESS, url))
    done = subprocess.run(
        command(block, folder),
        cwd=folder,
        env=surroundings(url, **environment),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{block.text}\n{done.stderr}"
    return done.stdout


def check(shown: Block, found: str) -> None:
    """Fail unless what was found is what the page shows; says what to show instead."""
    if shown.language == "json":
        assert fits(json.loads(shown.text), json.loads(found)), f"the page shows\n{shown.text}and this came:\n{found}"
    else:
        assert found == shown.text


def fits(shown: Any, found: Any) -> bool:
    """Whether an answer is the one shown, which may leave fields out; versions and moments only have to be some."""
    if isinstance(shown, dict):
        return isinstance(found, dict) and all(name in found and fits(shown[name], found[name]) for name in shown)
    if isinstance(shown, list):
        return isinstance(found, list) and len(shown) == len(found) and all(map(fits, shown, found))
    if isinstance(shown, float):
        return isinstance(found, float) and abs(shown - found) <= _NEAR
    if isinstance(shown, str) and isinstance(found, str):
        if shown.startswith("{"):  # JSON in a string
            return fits(json.loads(shown), json.loads(found))
        return shown == found or any(form.fullmatch(shown) and form.fullmatch(found) for form in (_VERSION, _MOMENT))
    return bool(shown == found)


def check_all(found: Mapping[str, list[Block]], folder: Path, url: str, **around: str) -> None:
    """Run every program of a page in order; what is shown is what it prints, and only a silent one shows nothing."""
    for blocks in found.values():
        for programs, shown in pieces(blocks):
            for program in programs:
                said = printed(program, folder, url, **around)
                if not program.silent:
                    assert shown, program.text
                    check(shown, said)
