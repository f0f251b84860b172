"""`make label-studio`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.studio.server import ROOT, VENV, Server


def test_a_port_that_is_taken_is_refused_since_label_studio_would_take_another(server: Server, tmp_path: Path) -> None:
    environment = {**os.environ, "VENV": str(VENV), "DATA": str(tmp_path / "data"), "PORT": str(server.port)}
    script = ROOT / "labels" / "label-studio.sh"
    refused = subprocess.run([script], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert f"port {server.port} is taken" in refused.stderr
    assert not (tmp_path / "data").exists()
