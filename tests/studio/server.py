"""A real Label Studio for the tests, started as `make label-studio` starts it, and people who label in it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from filelock import FileLock

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".venv" / "studio"
TEMPLATE = VENV / "template"
"""A migrated folder: a fresh one takes the server a minute."""


class Server:
    """A server in `folder`, made from the template. Start it, kill it, start it again."""

    def __init__(self, folder: Path) -> None:
        with FileLock(f"{TEMPLATE}.lock"):  # two processes that test may come at once
            if not (TEMPLATE / "whole").exists():
                _make_template()
        shutil.copytree(TEMPLATE, folder)
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.login = _login(folder)
        self.token = self.login["TOKEN"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = _start(self.folder, self.port)

    def kill(self) -> None:
        """Without warning, as when a machine dies."""
        self._stop(signal.SIGKILL)

    def stop(self) -> None:
        self._stop(signal.SIGTERM)

    def _stop(self, number: signal.Signals) -> None:
        if self._process:
            os.killpg(self._process.pid, number)
            self._process.wait(timeout=30)
            self._process = None

    def colleague(self, email: str) -> str:
        """Sign another person up by the invitation link; returns their access token."""
        admin = httpx.Client(base_url=self.url, headers={"Authorization": f"Token {self.token}"}, timeout=60)
        page = admin.get("/api/invite").json()["invite_url"]
        with httpx.Client(base_url=self.url, follow_redirects=True, timeout=60) as browser:
            form = browser.get(page)
            browser.post(
                form.url,
                data={
                    "csrfmiddlewaretoken": browser.cookies["csrftoken"],
                    "email": email,
                    "password": "a-long-password-2",
                },
                headers={"Referer": str(form.url)},
            )
            return str(browser.get("/api/current-user/token").json()["token"])


class Labeller:
    """One person at the labelling page, through the calls that the page makes."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Token {token}"}, timeout=60)

    def tasks(self, project: int) -> dict[str, int]:
        """Text → task, of every task of a project."""
        found = self._get("/api/tasks", project=project, page_size=1000, fields="task_only")
        return {task["data"]["text"]: task["id"] for task in found["tasks"]}

    def answer(self, task: int, result: list[Mapping[str, Any]], **more: object) -> int:
        """Submit an answer; returns the annotation's number."""
        answer = self._client.post(f"/api/tasks/{task}/annotations", json={"result": result, **more})
        answer.raise_for_status()
        return int(answer.json()["id"])

    def skip(self, task: int) -> None:
        self.answer(task, [], was_cancelled=True)

    def correct(self, annotation: int, result: list[Mapping[str, Any]]) -> None:
        self._client.patch(f"/api/annotations/{annotation}", json={"result": result}).raise_for_status()

    def withdraw(self, annotation: int) -> None:
        self._client.delete(f"/api/annotations/{annotation}").raise_for_status()

    def remove(self, task: int) -> None:
        self._client.delete(f"/api/tasks/{task}").raise_for_status()

    def copy(self, project: int) -> None:
        """Export a project and import what was written, which makes every task again, with its answers."""
        found = self._get(f"/api/projects/{project}/export", exportType="JSON", download_all_tasks="true")
        tasks = [{"data": task["data"], "annotations": task["annotations"]} for task in found]
        self._client.post(f"/api/projects/{project}/import", json=tasks).raise_for_status()

    def predictions(self, task: int) -> list[dict[str, Any]]:
        return list(self._get(f"/api/tasks/{task}")["predictions"])

    def view(self, project: int, title: str) -> list[str]:
        """The texts that a saved view shows."""
        found = next(view for view in self._get("/api/dm/views", project=project) if view["data"]["title"] == title)
        return sorted(
            task["data"]["text"] for task in self._get("/api/tasks", view=found["id"], page_size=1000)["tasks"]
        )

    def _get(self, path: str, **params: object) -> Any:
        answer = self._client.get(path, params={key: str(value) for key, value in params.items()})
        answer.raise_for_status()
        return answer.json()


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "VENV": str(VENV), "DATA": str(folder), "PORT": str(port), "HOME": str(folder)}
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [ROOT / "labels" / "label-studio.sh"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    for _ in range(600):
        time.sleep(0.5)
        assert process.poll() is None, (folder / "server.log").read_text(encoding="utf-8")[-2000:]
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).is_success:
                return process
        except httpx.TransportError:
            continue
    raise AssertionError("Label Studio did not start in five minutes")


def _make_template() -> None:
    shutil.rmtree(TEMPLATE, ignore_errors=True)
    TEMPLATE.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = _start(TEMPLATE, port)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=30)
    (TEMPLATE / "whole").touch()


def _login(folder: Path) -> dict[str, str]:
    lines = (folder / "login").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)
