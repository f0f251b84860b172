"""The service as a model of Label Studio: it suggests tags on the labelling page and hears what people answer.

The routes and their bodies are those that Label Studio calls; its `label-studio-ml` library, which would bring a web
framework of its own, is not used.
"""

from __future__ import annotations

import logging
import secrets
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPBasic
from pydantic import BaseModel, ConfigDict, Field

from labels.interface import shows
from model.taxonomy import Taxonomy
from serving import problems
from serving.admission import GuardedRoute
from serving.body import JsonRoute
from serving.errors import CredentialsError, MisfitError
from serving.schemas import StatusAnswer, Told
from serving.service import Served
from serving.settings import Settings

PREFIX = "/label-studio"
RECORDED = ("START_TRAINING", "ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED")
"""The actions that retraining goes by; others are none of its business."""
_basic = HTTPBasic(auto_error=False)
_log = logging.getLogger(__name__)


class Heard(BaseModel):
    """Base of what Label Studio sends: other fields, such as access tokens, are dropped unread."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class SetupRequest(Heard):
    """A project that wants suggestions."""

    project: str | None = Field(None, description="Its number, and the second when it was made.")
    label_config: str = Field(alias="schema", description="Its labelling configuration, in XML.")


class TaskItem(Heard):
    """A task to suggest tags for."""

    data: dict[str, Any] = Field({}, description="As `tympan labels push` writes it, or any with a `text`.")


class PredictRequest(Heard):
    """Tasks of one project."""

    tasks: list[TaskItem]
    label_config: str = Field(description="The project's labelling configuration, in XML.")


class Numbered(Heard):
    """An object of Label Studio, of which only the numbers are read."""

    id: int | None = None
    task: int | None = None


class EventRequest(Heard):
    """Something that happened in a project."""

    action: str = Field(examples=["ANNOTATION_CREATED", "START_TRAINING"])
    project: Numbered | int | None = None
    annotation: Numbered | list[Numbered] | None = None
    annotations: list[Numbered] = []

    def to_dict(self) -> dict[str, Any]:
        """What is kept of it, with the time at which it came: numbers, no text and no token."""
        one = self.annotation or []
        touched = [*(one if isinstance(one, list) else [one]), *self.annotations]
        return {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "action": self.action,
            "project": self.project.id if isinstance(self.project, Numbered) else self.project,
            "tasks": list(dict.fromkeys(entry.task for entry in touched if entry.task is not None)),
            "annotations": [entry.id for entry in touched if entry.id is not None],
        }


class SetupAnswer(Told):
    """The model that will suggest."""

    model_version: str = Field(examples=["listening-3f1c0a9b7d2e"])


class VersionsAnswer(Told):
    """The models that can suggest."""

    versions: list[str]


class PredictionItem(Told):
    """The tags suggested for one task."""

    result: list[dict[str, Any]] = Field(description="As Label Studio stores answers; empty if nothing can be read.")
    score: float = Field(description="How sure the model is: 0 if any probability is a half, 1 if all are 0 or 1.")
    model_version: str


class PredictAnswer(Told):
    """One result for every task, in the order of the request."""

    results: list[PredictionItem]


class EventAnswer(Told):
    """What became of an event."""

    recorded: bool = Field(description="Whether it was written to the journal in TYMPAN_STATE.")


async def _admit(request: Request) -> None:
    """CredentialsError unless the caller gives the user and password of the settings.

    If they are not set it lets in whoever calls, but nobody where other callers need a key.
    """
    settings: Settings = request.app.state.settings
    if not settings.label_studio_user:
        if request.app.state.gate.asks:
            remedy = "Set TYMPAN_LABEL_STUDIO_USER and TYMPAN_LABEL_STUDIO_PASSWORD"
            raise CredentialsError("label-studio", "has no password here, where callers need a key", remedy)
        return
    given = await _basic(request)
    wanted = f"{settings.label_studio_user}:{settings.label_studio_password.get_secret_value()}"
    told = f"{given.username}:{given.password}" if given else ""
    if not secrets.compare_digest(told.encode(), wanted.encode()):
        raise CredentialsError("authorization", "is not that of this service", "Give its user and password")


def _check(schema: str, taxonomy: Taxonomy, *, field: str) -> None:
    """MisfitError unless the project whose configuration is `schema`, in that field of the body, shows suggestions."""
    if faults := shows(schema, taxonomy):
        problem = f"does not fit {taxonomy.id}: {'; '.join(faults)}"
        raise MisfitError(field, problem, "Make the project with tympan labels init, or serve its own model")


class AdmittedRoute(GuardedRoute, JsonRoute):
    """A route that asks who calls before it reads the body."""

    deep = False
    longest = 20_000  # it tells in one event of all the annotations that were removed

    async def admit(self, request: Request) -> None:
        await _admit(request)


calls = APIRouter(prefix=PREFIX, route_class=AdmittedRoute, tags=["label studio"])
probes = APIRouter(prefix=PREFIX, tags=["label studio"])


@probes.get("/health", summary="Whether the service lives", responses=problems.documented())
async def health() -> StatusAnswer:
    """Always `ok`, and without a password: Label Studio asks before nearly every call."""
    return StatusAnswer(status="ok")


@probes.get(
    "/versions",
    summary="The models that can suggest",
    responses=problems.documented(401),
    dependencies=[Depends(_admit)],
)
async def versions(service: Served) -> VersionsAnswer:
    """The model that is served, and no other."""
    return VersionsAnswer(versions=[service.model])


@calls.post("/setup", summary="Connect a project", responses=problems.documented(401, 408, 413, 415, 422))
async def setup(asked: SetupRequest, service: Served) -> SetupAnswer:
    """The version of the model. Nothing of the call is kept, least of all the access token that it carries.

    A project whose configuration has other tags than the model, or does not show its suggestions, is refused: `detail`
    says why. Label Studio shows the status and the way to this service's log.
    """
    try:
        _check(asked.label_config, service.tagger.taxonomy, field="schema")
    except MisfitError:
        _log.warning("a project of Label Studio does not fit the model: tympan labels push to it says in what")
        raise
    return SetupAnswer(model_version=service.model)


@calls.post(
    "/predict",
    summary="Suggest tags for tasks",
    responses=problems.documented(401, 408, 413, 415, 422, 429, 503),
)
async def predict(asked: PredictRequest, service: Served) -> PredictAnswer:
    """Give every task the tags of its text, towards the target and with the watchlist of its data, if it has them.

    A task that cannot be read has an empty result, and the others are tagged all the same. A project is refused as
    by `/setup`.
    """
    service.settings.check_count("tasks", len(asked.tasks), remedy="Select fewer, or raise TYMPAN_MAX_MENTIONS")
    _check(asked.label_config, service.tagger.taxonomy, field="label_config")
    found = await service.line.suggest([task.data for task in asked.tasks])
    return PredictAnswer(results=[PredictionItem(**prediction) for prediction in found])


@calls.post(
    "/webhook",
    summary="Hear of answers, and of a wish to train",
    status_code=201,
    responses={
        200: {"model": EventAnswer, "description": "An action that is not recorded."},
        **problems.documented(401, 408, 413, 415, 422),
    },
)
async def webhook(event: EventRequest, service: Served, response: Response) -> EventAnswer:
    """Write START_TRAINING and every change of an annotation to the journal, as numbers without texts."""
    if event.action not in RECORDED:
        response.status_code = 200
        return EventAnswer(recorded=False)
    return EventAnswer(recorded=await service.journal.record(event.to_dict()))
