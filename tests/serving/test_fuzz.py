"""Whatever fits the published description, and whatever does not, gets an answer that fits it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serving.conftest import ROOT, Running, start, stop


@pytest.fixture
def server(bundle: Path, tmp_path: Path) -> Iterator[Running]:
    """One that takes jobs and corrections as well."""
    running = start(bundle, "--threads", "1", TYMPAN_STATE=str(tmp_path / "state"), TYMPAN_JOB_QUOTA="1000")
    yield running
    stop(running)


def test_every_answer_is_one_that_the_description_promises(server: Running, tmp_path: Path) -> None:
    # As a program: schemathesis 4.32 cannot parametrise a test under pytest 9.2.
    fuzz = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"),
            *("--max-time", "25", "--seed", "1", "--generation-database", "none", "--no-color"),
            *("--exclude-checks", "use_after_free"),  # a job that is under way is cancelled by DELETE, and stays
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
