"""What the queue writes is what a push takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

from labels.studio import Studio
from tests.studio.server import Labeller, Server


def test_the_queue_of_a_file_is_pushed_as_it_is(
    tympan: Callable[..., Result], bundle: Path, server: Server, first: Labeller, tmp_path: Path
) -> None:
    file, chosen = tmp_path / "mentions.jsonl", tmp_path / "queue.jsonl"
    texts = ["merci bravo", "panne encore", "je résilie", "trop cher", "rien à dire", "comment acheter"]
    file.write_text("".join(json.dumps({"id": n, "message": text}) + "\n" for n, text in enumerate(texts)), "utf-8")
    queued = tympan("queue", file, "-o", chosen, "--budget", "3", "--bundle", bundle)
    assert queued.exit_code == 0, queued.output
    kept = [json.loads(line)["message"] for line in chosen.read_text(encoding="utf-8").splitlines()]
    assert len(kept) == 3

    assert tympan("init", "The queue").exit_code == 0
    pushed = tympan("push", "The queue", chosen)
    assert "3 sent, 0 already there, 0 refused" in pushed.output
    with Studio(url=server.url, token=server.token) as studio:
        number = studio.project("The queue").id
    assert sorted(first.tasks(number)) == sorted(kept)
