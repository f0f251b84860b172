"""The service: tags over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Body, FastAPI, Header, Request
from fastapi_offline import FastAPIOffline
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from model.decode import thresholds_of
from model.errors import ComputationError
from model.mention import MAX_CHARACTERS
from model.tagger import Failed, Tagged, Tagger
from model.watchlist import Watchlist
from serving import admission, ending, examples, headers, kserve, label_studio, models, problems, tei, tracing, watch
from serving.admission import Caller, KeyRoute, OpenRoute
from serving.body import Bodies, JsonRoute
from serving.drift import Drifts
from serving.errors import NotReadyError
from serving.feedback import desk, recent
from serving.feedback import routes as feedback
from serving.jobs import routes as jobs
from serving.jobs.desk import Counts, Desk
from serving.keys import Scope
from serving.schemas import (
    ErrorCode,
    FailedItem,
    ItemError,
    MentionItem,
    ModelAnswer,
    StatusAnswer,
    TagAnswer,
    TaggedItem,
    TagRequest,
    TaxonomyAnswer,
)
from serving.service import Served, Service, serving
from serving.settings import Settings, version
from serving.succession import Succession, following

_TITLES: dict[ErrorCode, str] = {
    "text_empty": "The text is empty",
    "text_too_long": "The text is too long",
    "duplicate_id": "The id was given before",
    "unknown_target": "The target is not in the watchlist",
    "not_computed": "The model failed on this text",
}


class TaggingRoute(KeyRoute, JsonRoute):
    """A route that takes mentions."""

    scope = Scope.TAG


class ReadingRoute(KeyRoute):
    """A route that only tells."""

    scope = Scope.TAG


tagging = APIRouter(prefix="/v1", route_class=TaggingRoute, tags=["tagging"])
reading = APIRouter(prefix="/v1", route_class=ReadingRoute, tags=["model"])
watching = APIRouter(route_class=OpenRoute, tags=["operation"])


def create_app(tagger: Tagger, settings: Settings) -> FastAPI:
    """The service of one loaded tagger."""
    app = FastAPIOffline(  # FastAPI itself has the browser fetch the pages of /docs from elsewhere
        title="Tympan",
        version=version(),
        summary="Tags what people say about an organisation with what they intend and what it is about.",
        description=f"A call takes at most {settings.max_mentions:,} mentions and {settings.max_bytes:,} bytes.",
        lifespan=_lifespan,
        telemetry=tracing.telemetry(),
    )
    app.state.service = Service.of(tagger, settings)
    app.state.succession = Succession.of(app.state)
    app.state.settings = settings
    app.state.bodies = Bodies.of(settings)
    app.state.desk = Desk.of(settings)
    succession = app.state.succession
    for collector in (Counts(app.state.desk), Drifts(succession.registry if succession else None)):
        app.state.service.metrics.share(collector)
    app.state.feedback = desk.Desk.of(settings)
    app.state.recent = recent.Recent(app.state.feedback, keep=settings.recent, metrics=app.state.service.metrics)
    app.state.ready = False
    for router in (tagging, reading, watching, watch.scraped, label_studio.calls, label_studio.probes):
        app.include_router(router)
    for router in (
        models.reading,
        models.overseeing,
        models.changing,
        tei.calls,
        kserve.calls,
        kserve.reading,
        kserve.probes,
    ):
        app.include_router(router)
    for router in (jobs.making, jobs.reading, feedback.calls):
        app.include_router(router)
    problems.install(app)
    ending.install(app)
    admission.install(app, settings)
    headers.install(app, origins=settings.origins)
    watch.install(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    await state.service.warm()
    state.service.see()
    state.ready = True
    async with following(state.succession), state.recent.running():
        yield
    state.ready = False
    await to_thread.run_sync(state.service.line.close)


@tagging.post(
    "/tag",
    summary="Tag mentions",
    responses={
        200: {"content": {"application/json": {"examples": examples.ANSWERS}}},
        **problems.documented(401, 403, 408, 413, 415, 422, 429, 503, 504),
    },
)
async def tag(
    asked: Annotated[TagRequest, Body(openapi_examples=examples.REQUESTS)],
    request: Request,
    timeout_ms: Annotated[
        Annotated[int, Field(ge=1, le=600_000)] | SkipJsonSchema[None],
        Header(alias="X-Request-Timeout-Ms", description="Milliseconds to answer in, else 504."),
    ] = None,
) -> TagAnswer:
    """Give every mention its intents and topics, with their probabilities.

    One result comes back for each mention, in order. A mention that cannot be tagged (no text, a text that is too
    long, an `id` given twice, a `target` that the watchlist does not name) has an `error` instead of `tags`, and the
    others are tagged all the same.

    `tags` are towards the mention's `target`; without one, towards the only organisation of role `brand` in the
    `watchlist`; without a watchlist, of the text as it is. `targets` lists what is said to every organisation named.
    `priority`, `priority_reason` and `owner` follow from all of them, and from `answered`, by the service's rules.
    """
    service, state = serving(request), request.app.state  # not as dependencies, which take a tenth of a call's time
    service.settings.check_count("mentions", len(asked.mentions))
    caller: Caller = request.state.caller
    caller.count(len(asked.mentions))
    watchlist = Watchlist.from_dicts(organisation.model_dump() for organisation in asked.watchlist)
    first = {item.id: place for place, item in reversed(list(enumerate(asked.mentions)))}
    places = sorted(first.values())
    mentions = [asked.mentions[place].to_mention() for place in places]
    found = await service.line.tag(
        mentions,
        watchlist=watchlist,
        min_score=asked.min_score,
        caller=caller.name,
        seconds=(timeout_ms or service.settings.timeout_ms) / 1000,
    )
    state.recent.note(mentions, found, watchlist, service.model)
    tagged = dict(zip(places, found, strict=True))
    results = [
        _result(tagged[place], item, place, service, watchlist)
        if place in tagged
        else _duplicate(item, place, first[item.id])
        for place, item in enumerate(asked.mentions)
    ]
    return TagAnswer(model=service.model, taxonomy=service.tagger.taxonomy.id, results=results)


@reading.get("/taxonomy", summary="The tags that can be given", responses=problems.documented(401, 403, 429))
async def taxonomy(service: Served) -> TaxonomyAnswer:
    """Every group and tag of the model that is served, with titles and descriptions in several languages."""
    return TaxonomyAnswer.of(service.tagger.taxonomy)


@reading.get("/model", summary="The model that is served", responses=problems.documented(401, 403, 429))
async def model(service: Served) -> ModelAnswer:
    """Its version, its thresholds, what was measured on it and what it was made from."""
    bundle = service.tagger.bundle
    return ModelAnswer(
        model=service.model,
        taxonomy=bundle.taxonomy.id,
        languages=list(bundle.languages),
        max_length=bundle.max_length,
        thresholds=dict(thresholds_of(bundle.taxonomy, bundle.calibration)),
        metrics=dict(bundle.metrics),
        provenance=dict(bundle.provenance),
    )


@watching.get("/health", summary="Whether the service lives", responses=problems.documented(401, 429))
async def health() -> StatusAnswer:
    """Always `ok` while the process answers at all."""
    return StatusAnswer(status="ok")


@watching.get("/ready", summary="Whether the service takes requests", responses=problems.documented(401, 429, 503))
async def ready(request: Request) -> StatusAnswer:
    """`ready` once the model is loaded and warm, and until the service stops."""
    if not request.app.state.ready or not request.app.state.service.line.alive:
        raise NotReadyError("service", "is starting or stopping", "Try again soon")
    return StatusAnswer(status="ready")


def _result(
    result: Tagged | Failed, item: MentionItem, place: int, service: Service, watchlist: Watchlist
) -> TaggedItem | FailedItem:
    if not isinstance(result, Failed):
        return TaggedItem.of(result, service.priority(item.to_mention(), result, watchlist))
    if result.error.where == "target":
        return _failed(item, place, "unknown_target", str(result.error), "target")
    code: ErrorCode = "text_too_long" if len(item.text) > MAX_CHARACTERS else "text_empty"
    if isinstance(result.error, ComputationError):
        code = "not_computed"
    return _failed(item, place, code, str(result.error), "text")


def _duplicate(item: MentionItem, place: int, first: int) -> FailedItem:
    detail = f"id: is that of mentions/{first} too. Give every mention an id of its own"
    return _failed(item, place, "duplicate_id", detail, "id")


def _failed(item: MentionItem, place: int, code: ErrorCode, detail: str, field: str) -> FailedItem:
    error = ItemError(code=code, title=_TITLES[code], detail=detail, pointer=f"#/mentions/{place}/{field}")
    return FailedItem(id=item.id, error=error)
