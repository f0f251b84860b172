"""What the routes work with: one loaded tagger, the line before it, and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from model.tagger import Tagger
from serving.batching import Line
from serving.journal import Journal
from serving.settings import Settings


@dataclass(frozen=True)
class Service:
    """What the routes work with."""

    tagger: Tagger
    line: Line
    settings: Settings
    model: str
    """The bundle's version, worked out once."""
    journal: Journal


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Served = Annotated[Service, Depends(_service)]
