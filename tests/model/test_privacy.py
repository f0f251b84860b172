"""Nothing about its use leaves the machine, and nothing that could identify it is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_tagging_leaves_nothing_in_the_home_of_its_user(bundle: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from model.tagger import Tagger; from model.mention import Mention;"
        "print(len(Tagger.load(sys.argv[1]).tag([Mention('m', 'panne')])))"
    )
    home = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    environment = {**os.environ, **home}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    told = subprocess.run([sys.executable, "-c", code, bundle], env=environment, capture_output=True, check=True)
    assert told.stdout.strip() == b"1"
    assert list(tmp_path.rglob("*")) == []


def test_the_reports_of_onnx_runtime_are_off_before_it_is_imported() -> None:
    code = "import sys, os, model; print('onnxruntime' in sys.modules, os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert told.stdout.strip() == b"False 1"
