"""Calls to a running service, as its callers make them."""

from __future__ import annotations

from typing import Any

import httpx

PROBLEM = "application/problem+json"


def tag(client: httpx.Client, *texts: str, **more: Any) -> list[dict[str, Any]]:
    mentions = [{"id": f"m{i}", "text": text} for i, text in enumerate(texts)]
    answer = client.post("/v1/tag", json={"mentions": mentions, **more})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])


def names(scores: list[dict[str, Any]]) -> list[str]:
    return [score["tag"] for score in scores]


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body of a refusal, after checking that it is one of RFC 9457."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"] == "about:blank"
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in answer.text
    return body


def post(client: httpx.Client, content: Any, media_type: str = "application/json") -> httpx.Response:
    return client.post("/v1/tag", content=content, headers={"content-type": media_type})
