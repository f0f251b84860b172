"""The models of a registry: which are held, which one is served, and how another takes its place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field

from model.bundle import Bundle
from model.errors import BundleError
from model.registry import Registry
from serving import problems
from serving.admission import Caller, Calling, KeyRoute
from serving.body import JsonRoute
from serving.errors import NotHeldError
from serving.keys import Scope
from serving.schemas import Asked, Id, Told
from serving.succession import Succession


class ChangeRequest(Asked):
    """Who changes the model and why, for the registry's history."""

    who: Id = Field(examples=["ann"])
    why: Annotated[Id, Field(max_length=1000)] = Field(examples=["better on churn in Italian"])

    def signed(self, caller: Caller) -> str:
        """Who it is, with the name of the key that was used, if any."""
        return f"{self.who} (key {caller.name})" if caller.key else self.who


class ActivateRequest(ChangeRequest):
    """As any change of the model; of one that was judged and did not pass, it must be said that this is known."""

    force: bool = Field(False, description="Even if it was judged by the rules of release and did not pass.")


class ModelEntry(Told):
    """A model that is held."""

    model: str = Field(description="Its version.", examples=["listening-3f1c0a9b7d2e"])
    served: bool
    champion: bool
    taxonomy: str | None = Field(examples=["listening@1.0"])
    languages: list[str]
    macro_f1: dict[str, float] = Field(description="Group of tags → its mean F1 on the test texts.")
    fault: str | None = Field(description="Why it can never be served; no fault here is no promise that it can.")


class ModelsAnswer(Told):
    """The models held, and the one that is served."""

    served: str = Field(description="The version that answers.", examples=["listening-3f1c0a9b7d2e"])
    since: datetime = Field(description="Since when this process has served it.")
    champion: str | None = Field(description="The version that the registry points to.")
    failure: str | None = Field(description="Why the champion is not the model that is served; null if it is.")
    models: list[ModelEntry]


class ChangeAnswer(Told):
    """The model that is served from now on."""

    served: str = Field(examples=["listening-3f1c0a9b7d2e"])
    since: datetime


class RetrainingAnswer(Told):
    """How far retraining is, or how the last one ended."""

    state: Literal[
        "none", "gathering", "training", "measuring", "promoted", "kept", "unchanged", "failed", "interrupted"
    ] = Field(description="`none` if there never was one; `kept` if the champion stays, and the new model is held.")
    at: datetime | None = Field(description="When that was written down. A process that was killed writes no more.")
    since: datetime | None = Field(description="When it began.")
    new: int | None = Field(description="Labels that the champion has not learnt from, once they are counted.")
    version: str | None = Field(description="The new model, once there is one.", examples=["listening-3f1c0a9b7d2e"])
    reasons: list[str] = Field(description="Why the new model was not promoted, or what failed.")


class ModelsRoute(KeyRoute):
    """A route that tells which models there are."""

    scope = Scope.TAG


class AdminRoute(KeyRoute):
    """A route that tells what is for those who run the service."""

    scope = Scope.ADMIN


class ChangeRoute(KeyRoute, JsonRoute):
    """A route that changes the model."""

    scope = Scope.ADMIN


def _succession(request: Request) -> Succession:
    succession: Succession | None = request.app.state.succession
    if succession is None:
        raise NotHeldError("models", "are not held: one bundle is served", "Serve a registry: --bundle REGISTRY")
    return succession


Succeeding = Annotated[Succession, Depends(_succession)]

reading = APIRouter(prefix="/v1", route_class=ModelsRoute, tags=["model"])
overseeing = APIRouter(prefix="/v1", route_class=AdminRoute, tags=["model"])
changing = APIRouter(prefix="/v1", route_class=ChangeRoute, tags=["model"])


@reading.get("/models", summary="The models that are held", responses=problems.documented(401, 403, 409, 429))
async def held(succession: Succeeding) -> ModelsAnswer:
    """Every model of the registry, with the one that is served. 409 if the service has no registry."""
    champion, entries = await to_thread.run_sync(_held, succession.registry, succession.served)
    return ModelsAnswer(
        served=succession.served,
        since=succession.since,
        champion=champion,
        failure=succession.failure,
        models=entries,
    )


@overseeing.get("/retraining", summary="How far retraining is", responses=problems.documented(401, 403, 409, 429))
async def retraining(succession: Succeeding) -> RetrainingAnswer:
    """What `tympan retrain` of the same registry is doing, or how it ended. 409 if the service has no registry."""
    told = await to_thread.run_sync(succession.registry.retraining)
    return RetrainingAnswer(
        state=told.get("state", "none"),
        at=told.get("at"),
        since=told.get("since"),
        new=told.get("new"),
        version=told.get("version") or None,
        reasons=told.get("reasons") or list(filter(None, [told.get("reason")])),
    )


@changing.post(
    "/models/{version}/activate",
    summary="Serve another model",
    responses=problems.documented(401, 403, 408, 409, 413, 415, 422, 429),
)
async def activate(
    version: Annotated[str, Path(max_length=200)], asked: ActivateRequest, succession: Succeeding, caller: Calling
) -> ChangeAnswer:
    """Make a version that is held the champion, for every process that serves this registry.

    It is verified, loaded and warmed first, and requests that have begun finish on the model before. If anything fails
    nothing changes, and `detail` says why: 409 if it is not held, or was compared with the champion of its time and did
    not pass (unless `force` is set), 422 if it is altered or cannot be run.
    """
    served = await succession.activate(version, who=asked.signed(caller), why=asked.why, force=asked.force)
    return ChangeAnswer(served=served, since=succession.since)


@changing.post(
    "/models/rollback",
    summary="Go back to the model before",
    responses=problems.documented(401, 403, 408, 409, 413, 415, 422, 429),
)
async def rollback(asked: ChangeRequest, succession: Succeeding, caller: Calling) -> ChangeAnswer:
    """Activate the version that the champion replaced. 409 if there is none."""
    served = await succession.rollback(who=asked.signed(caller), why=asked.why)
    return ChangeAnswer(served=served, since=succession.since)


def _held(registry: Registry, served: str) -> tuple[str | None, list[ModelEntry]]:
    """The champion, and an entry for every version."""
    champion = registry.champion()
    return champion, [
        ModelEntry(model=version, served=version == served, champion=version == champion, **_told(registry, version))
        for version in registry.versions()
    ]


def _told(registry: Registry, version: str) -> dict[str, Any]:
    """What a version's manifest says of it."""
    try:
        bundle = Bundle.described(registry.path / "bundles" / version)
    except BundleError as error:
        return {"taxonomy": None, "languages": [], "macro_f1": {}, "fault": f"{error.problem}. {error.remedy}"}
    return {
        "taxonomy": bundle.taxonomy.id,
        "languages": list(bundle.languages),
        "macro_f1": _macro_f1(bundle.metrics),
        "fault": None,
    }


def _macro_f1(metrics: Mapping[str, Any]) -> dict[str, float]:
    groups = metrics.get("test", {}).get("groups", {})
    return {name: round(figures["macro_f1"], 4) for name, figures in groups.items()}
