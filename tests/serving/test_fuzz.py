"""Whatever fits the published description, and whatever does not, gets an answer that fits it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx

from tests.serving.conftest import ROOT, Running


def test_every_answer_is_one_that_the_description_promises(server: Running, tmp_path: Path) -> None:
    # As a program, as those run it who check a service from outside.
    fuzz = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"),
            *("--max-time", "25", "--seed", "1", "--generation-database", "none", "--no-color"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.serving.fuzz_hooks"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert fuzz.returncode == 0, re.sub(r"(.)\1{50,}", r"\1…", fuzz.stdout)[-8000:] + fuzz.stderr
    described = httpx.get(f"{server.url}/openapi.json").json()["paths"].values()
    count = sum(len(operations) for operations in described)
    assert f"{count} selected / {count} total" in fuzz.stdout
