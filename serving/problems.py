"""Errors as callers see them: `application/problem+json` (RFC 9457), mapped to a status here and nowhere else."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from model.errors import TympanError, WatchlistError
from serving.call import note
from serving.errors import (
    AccessError,
    BusyError,
    CredentialsError,
    DeadlineError,
    FeedbackDownError,
    FeedbackOffError,
    JobsOffError,
    JobStateError,
    MediaTypeError,
    MisfitError,
    NotAllowedError,
    NotHeldError,
    NotReadyError,
    RequestTooLargeError,
    ScopeError,
    SlowRequestError,
    StoreError,
    UncomputedError,
    UnfitModelError,
    UnknownJobError,
    UnknownModelError,
)

_log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
_MOST_ERRORS = 20  # a request of 1,000 bad mentions needs no 1,000 explanations

STATUS: Mapping[type[TympanError], int] = {
    AccessError: 401,
    CredentialsError: 401,
    ScopeError: 403,
    NotAllowedError: 403,
    UnknownModelError: 404,
    JobsOffError: 404,
    FeedbackOffError: 404,
    UnknownJobError: 404,
    SlowRequestError: 408,
    NotHeldError: 409,
    JobStateError: 409,
    RequestTooLargeError: 413,
    MediaTypeError: 415,
    WatchlistError: 422,
    MisfitError: 422,
    UnfitModelError: 422,
    UncomputedError: 422,
    BusyError: 429,
    NotReadyError: 503,
    StoreError: 503,
    FeedbackDownError: 503,
    DeadlineError: 504,
}
"""The status of each error that a request can cause; any other one is the service's own fault, 500."""

_POINTERS: Mapping[type[TympanError], str] = {WatchlistError: "#/watchlist", MisfitError: "#/{where}"}
"""Where in the body the cause of an error is."""
_HEADERS: Mapping[type[TympanError], Mapping[str, str]] = {
    AccessError: {"WWW-Authenticate": "Bearer"},
    CredentialsError: {"WWW-Authenticate": "Basic"},
    ScopeError: {"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
    SlowRequestError: {"Connection": "close"},  # what is missing would be taken for the next request
}

_EXPLAINED = {
    401: "The service asks for a key, or for the user and password of Label Studio, and the call has none.",
    403: "The key does not have the scope that the route needs.",
    404: "No model is served by that name; `detail` says which is.",
    408: "The body did not come in the time that the service gives it.",
    409: "The models held do not allow it, or none are held but the one served. Nothing has changed.",
    413: "The body, or the number of mentions, is beyond the limit.",
    415: "The body is not `application/json`.",
    422: "The body is no JSON, or a field has a wrong type or value; `errors` points to each.",
    429: "The service has no room for more, or the key's quota is used. `Retry-After` says in how many seconds to try.",
    500: "A fault of the service. Nothing about it is told here; its log has it.",
    503: "The service is starting or stopping, or holds as many connections as it can. Try again soon.",
    504: "The mentions were not computed in the time that `X-Request-Timeout-Ms`, or the service's setting, gives.",
}


_EXAMPLES: Mapping[int, tuple[str, ...]] = {
    401: ("authorization: is no key of this service. Send one: Authorization: Bearer KEY",),
    403: ("key site: does not have the scope tag. Ask for one that has",),
    404: ("model: is not served by that name. Call it listening",),
    408: ("body: did not come within 20 s. Send it at once",),
    409: ("models: are not held: one bundle is served. Serve a registry: --bundle REGISTRY",),
    413: ("mentions: are more than 1,000. Send them in several calls",),
    415: ("content-type: is not application/json. Send the mentions as JSON",),
    422: ("#/mentions/0/text: Field required", "#/mentions/0/text"),
    429: ("service: has no room for more. Try again later",),
    500: ("The service failed on this request. Its log says why.",),
    503: ("service: is starting or stopping. Try again soon",),
    504: ("request: was not computed within 30 s. Send fewer mentions",),
}
"""A `detail` for each status as callers see it, and where in the body the cause is."""
_TOLD = {"X-Request-Id": {"description": "By which the log knows the request.", "schema": {"type": "string"}}}
_WAIT = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


class ProblemError(BaseModel):
    """One thing that is wrong with a request."""

    detail: str
    pointer: str = Field(
        description="Where it is in the body; of a header or parameter, its name.", examples=["#/mentions/0/text"]
    )


class Problem(BaseModel):
    """Why a request was refused."""

    type: str = Field(default="about:blank", description="`about:blank`: the status says it all.")
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What is wrong and what to do.")
    instance: str = Field(description="The path that was called.")
    errors: list[ProblemError] = Field(default=[], description="What is wrong with the body, if that is the reason.")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with problems of these statuses, and 500."""
    return {status: _documented(status) for status in (*statuses, 500)}


def _documented(status: int) -> dict[str, Any]:
    detail, *errors = _EXAMPLES[status]
    wrong = [ProblemError(detail=detail.removeprefix(f"{pointer}: "), pointer=pointer) for pointer in errors]
    example = _problem(status, detail, "/v1/tag", wrong).model_dump()
    return {
        "model": Problem,
        "description": _EXPLAINED[status],
        "headers": _TOLD | (_WAIT if status == 429 else {}),
        "content": {"application/json": {"example": example}},
    }


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem, and say so in its OpenAPI document."""
    app.add_exception_handler(TympanError, known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unknown)
    generate = app.openapi
    app.openapi = lambda: _with_media_type(generate())  # type: ignore[method-assign]  # FastAPI's documented way


def _respond(
    request: Request,
    status: int,
    detail: str,
    errors: Sequence[ProblemError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    problem = _problem(status, detail, request.scope["path"], errors)
    return JSONResponse(problem.model_dump(), status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def _problem(status: int, detail: str, instance: str, errors: Sequence[ProblemError]) -> Problem:
    title = HTTPStatus(status).phrase
    return Problem(title=title, status=status, detail=detail, instance=instance, errors=list(errors))


async def known(request: Request, error: Exception) -> JSONResponse:
    """The answer to an error of STATUS; 500 to any other, which is logged."""
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    if status == 500 or not isinstance(error, TympanError):
        _log.error("the service failed on a request", exc_info=error)
        return await _unknown(request, error)
    note(refusal=_reason(error))
    pointer = _POINTERS.get(type(error))
    errors = [ProblemError(detail=str(error), pointer=pointer.format(where=error.where))] if pointer else []
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, BusyError) else _HEADERS.get(type(error))
    return _respond(request, status, str(error), errors, headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 — as registered above
    note(refusal=_reason(error))
    found = error.errors()
    if any(entry["type"] == "json_invalid" for entry in found):
        return _respond(request, 422, "The body is no JSON.")
    errors = [ProblemError(detail=entry["msg"], pointer=_pointer(entry["loc"])) for entry in found[:_MOST_ERRORS]]
    return _respond(request, 422, f"{errors[0].pointer}: {errors[0].detail}", errors)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 — as registered above
    note(refusal=HTTPStatus(error.status_code).name.lower())
    if error.status_code == 400:  # FastAPI's answer to bytes that json cannot read, such as bad UTF-8
        return _respond(request, 422, "The body is no JSON.")
    headers = dict(error.headers or {})
    if error.status_code == 405 and (methods := _methods(request)):
        headers["Allow"] = methods
    return _respond(request, error.status_code, str(error.detail), headers=headers)


async def _unknown(request: Request, _: Exception) -> JSONResponse:
    return _respond(request, 500, "The service failed on this request. Its log says why.")


def _methods(request: Request) -> str:
    """Every method of the path that was called, if it is one of the API; a route by itself knows its own alone."""
    path = getattr(request.scope.get("route"), "path", "")
    return ", ".join(sorted(method.upper() for method in request.app.openapi()["paths"].get(path, ())))


def _reason(error: Exception) -> str:
    """RequestTooLargeError → `request_too_large`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__.removesuffix("Error")).lower()


def _pointer(location: Sequence[str | int]) -> str:
    """("body", "mentions", 0, "text") → "#/mentions/0/text" (RFC 6901)."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in location[1:])
    return "#" + "".join(f"/{step}" for step in steps)


def _with_media_type(document: dict[str, Any]) -> dict[str, Any]:
    """FastAPI documents every answer as `application/json`; those of problems are not."""
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                if status >= "400" and "application/json" in content:
                    content[MEDIA_TYPE] = content.pop("application/json")
    return document
