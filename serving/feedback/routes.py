"""The route of corrections."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request

from serving import problems
from serving.admission import KeyRoute
from serving.body import JsonRoute
from serving.errors import FeedbackOffError
from serving.feedback.desk import Desk
from serving.feedback.schemas import ANSWERS, REQUESTS, FeedbackAnswer, FeedbackRequest
from serving.keys import Scope
from serving.service import Served

_EXPLAINED = {
    404: "The service keeps no corrections.",
    413: "The body, or the number of corrections, is beyond the limit.",
    429: "The key's quota of calls is used. `Retry-After` says in how many seconds to try.",
    503: "The database cannot be used now. `Retry-After` says when to send the call again: none is kept twice.",
}


class FeedbackRoute(KeyRoute, JsonRoute):
    """A route that takes corrections."""

    scope = Scope.FEEDBACK


async def _desk(request: Request) -> Desk:
    desk: Desk | None = request.app.state.feedback
    if desk is None:
        remedy = "The operator sets TYMPAN_STATE or TYMPAN_FEEDBACK"
        raise FeedbackOffError("corrections", "are off: the service has no place for them", remedy)
    return desk


calls = APIRouter(prefix="/v1", route_class=FeedbackRoute, tags=["feedback"])


@calls.post(
    "/feedback",
    summary="Correct tags",
    responses={
        200: {"content": {"application/json": {"examples": ANSWERS}}},
        **{
            status: {**said, "description": _EXPLAINED.get(int(status), said["description"])}
            for status, said in problems.documented(401, 403, 404, 408, 413, 415, 422, 429, 503).items()
        },
    },
)
async def feedback(
    asked: Annotated[FeedbackRequest, Body(openapi_examples=REQUESTS)],
    service: Served,
    desk: Annotated[Desk, Depends(_desk)],
) -> FeedbackAnswer:
    """Say which tags of a mention are right, or which are wrong.

    One result comes back for each correction, in order: `stored`, `known` if it was there before, or an `error`, and
    the others are kept all the same. What is kept is on disk before the answer comes, so that a call can be sent
    again whatever became of it: each correction is kept once.

    Nothing is changed by a correction at once: retraining learns from it.
    """
    service.settings.check_count("corrections", len(asked.corrections))
    return FeedbackAnswer(results=await desk.take(asked.corrections, service.tagger.taxonomy))
