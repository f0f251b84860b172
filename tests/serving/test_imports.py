"""What the service and the command line load, and how long that takes, in interpreters of their own.

Time is that of the processor, the best of three: on an idle machine it is the time on the clock, and on a busy one
it still says how much work an import is.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.serving.conftest import ROOT

HEAVY = (
    "torch",
    "transformers",
    "datasets",
    "pandas",
    "pyarrow",
    "label_studio_sdk",
    "onnx",
    "sklearn",
    "scipy",
    "wordfreq",
    "httpx",
    "ray",
    "sqlalchemy",
    "alembic",
)


def loaded_by(code: str) -> tuple[list[str], float]:
    """The heavy libraries that `code` loads, and the seconds of processor time that it takes."""
    report = f"""
import json, sys, time
start = time.process_time()
{code}
seconds = time.process_time() - start
print("\\n" + json.dumps([[name for name in {HEAVY!r} if name in sys.modules], seconds]))
"""
    done = subprocess.run(
        [sys.executable, "-c", report], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    heavy, seconds = json.loads(done.stdout.splitlines()[-1])
    return heavy, seconds


def test_the_service_is_imported_within_a_second_and_a_half_and_without_torch() -> None:
    runs = [loaded_by("import serving.app") for _ in range(3)]
    assert [heavy for heavy, _ in runs] == [[], [], []]
    assert min(seconds for _, seconds in runs) <= 1.5


@pytest.mark.parametrize("arguments", [["--help"], ["tag", "--help"], ["serve", "--help"], ["--version"]])
def test_help_loads_neither_torch_nor_the_network(arguments: list[str]) -> None:
    code = f"from tympan import app\ntry:\n    app({arguments!r})\nexcept SystemExit:\n    pass\n"
    heavy, _ = loaded_by(code + "assert 'onnxruntime' not in sys.modules")
    assert heavy == []


def test_tagging_a_file_loads_no_torch() -> None:
    code = """
import pathlib, tempfile
from tympan import app
from tests.bundles import keyword_bundle
for name in [name for name in sys.modules if name.partition(".")[0] == "onnx"]:
    del sys.modules[name]  # the fixture's, not the command's
folder = pathlib.Path(tempfile.mkdtemp())
bundle = keyword_bundle(folder / "bundle")
(folder / "m.csv").write_text("text\\npanne\\n")
try:
    app(["tag", str(folder / "m.csv"), "--bundle", str(bundle)])
except SystemExit as end:
    assert not end.code, end.code
assert (folder / "m.tagged.csv").exists()
"""
    heavy, _ = loaded_by(code)
    assert heavy == []
