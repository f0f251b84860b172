"""The routes of jobs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import ClientDisconnect

from serving import problems
from serving.admission import Caller, Calling, KeyRoute
from serving.call import under_way
from serving.errors import JobsOffError, JobStateError, UnknownJobError
from serving.jobs import webhook
from serving.jobs.answers import EXAMPLES, ErrorsAnswer, JobAnswer, JobsAnswer
from serving.jobs.desk import Desk
from serving.jobs.download import WholeFile, media_type
from serving.jobs.job import Job, Options, new_id
from serving.jobs.store import ERRORS
from serving.jobs.upload import BODY, check_storage, receive
from serving.keys import Scope

_EXPLAINED = {
    403: "The key does not have the scope `jobs`, or a storage or host is not allowed.",
    404: "There is no such job: it has expired, was deleted or is another caller's. Or the service keeps no jobs.",
    408: "The body comes too slowly, or no more of it comes.",
    409: "The job has not come so far, or its `Idempotency-Key` was sent with another request.",
    413: "The file is longer than the service takes.",
    415: "The body is neither a form, nor JSON, nor a file with a name.",
    422: "An option has a wrong type or value; `errors` points to each.",
    429: "The key has too many unfinished jobs, too many bytes of them, or its quota is used.",
    503: "The folder of jobs cannot be written.",
}
_PAGE = 50


class JobRoute(KeyRoute):
    """A route about jobs."""

    scope = Scope.JOBS


class UploadRoute(JobRoute):
    """The route that takes a file, which it reads itself."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 — FastAPI's own
        super().__init__(path, endpoint, **options)
        self.openapi_extra = {**(self.openapi_extra or {}), "requestBody": BODY}

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def read(request: Request) -> Response:
            try:
                return await handle(request)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody is there to read it

        return read


def _documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """As `problems.documented`, with what the statuses mean here."""
    found = problems.documented(*statuses)
    return {
        status: {**said, "description": _EXPLAINED.get(int(status), said["description"])}
        for status, said in found.items()
    }


async def _desk(request: Request) -> Desk:
    desk: Desk | None = request.app.state.desk
    if desk is None:
        raise JobsOffError("jobs", "are off: the service has no folder for them", "The operator sets TYMPAN_STATE")
    return desk


Working = Annotated[Desk, Depends(_desk)]
JobId = Annotated[str, Path(max_length=100, examples=["job-3f1c0a9b7d2e"])]
making = APIRouter(prefix="/v1", route_class=UploadRoute, tags=["jobs"])
reading = APIRouter(prefix="/v1", route_class=JobRoute, tags=["jobs"])


@making.post(
    "/jobs",
    status_code=202,
    summary="Have a file tagged",
    responses={
        202: {
            "content": {"application/json": {"examples": EXAMPLES}},
            "headers": {"Location": {"description": "Where the job is.", "schema": {"type": "string"}}},
        },
        **_documented(401, 403, 404, 408, 409, 413, 415, 422, 429, 503),
    },
)
async def make(
    request: Request,
    response: Response,
    desk: Working,
    caller: Calling,
    key: Annotated[
        Annotated[str, Query(min_length=1, max_length=200)] | SkipJsonSchema[None],
        Header(alias="Idempotency-Key", description="The same key with the same request makes one job, however often."),
    ] = None,
) -> JobAnswer:
    """Send a file, alone or in a form, or the address of one in a storage that the service allows.

    The answer comes as soon as the file is there; the job says how far it is. The result is the same file with the
    tags in new columns, as `tympan tag` writes it.
    """
    call, owner = under_way(), _owner(caller)
    job = Job(
        id=new_id(owner, key),
        owner=owner,
        file="",
        created=datetime.now(UTC),
        options=Options.model_validate({}),
        request=call.id if call else "",
        trace=call.trace if call else "",
    )
    async with contextmanager_in_threadpool(desk.store.draft(job)) as folder:
        job = job.model_copy(update=await receive(request, desk.settings, folder))
        if job.options.result_url:
            check_storage("result_url", job.options.result_url, desk.settings)
        if job.options.webhook:
            webhook.check(job.options.webhook, desk.settings)
        kept = await to_thread.run_sync(desk.take, job, folder)
    response.headers["Location"] = f"/v1/jobs/{kept.id}"
    return JobAnswer.of(kept)


@reading.get("/jobs", summary="One's jobs", responses=_documented(401, 403, 404, 422, 429))
async def jobs(
    desk: Working,
    caller: Calling,
    limit: Annotated[int, Query(ge=1, le=500, description="The most jobs in the answer.")] = _PAGE,
    after: Annotated[str, Query(max_length=100, description="The `next` of the answer before.")] = "",
) -> JobsAnswer:
    """The caller's jobs, the newest first; those of all callers for a key of the scope `admin`."""
    mine = [job for job in await to_thread.run_sync(desk.store.all) if _may(caller, job)]
    left = [job for job in mine if not after or _place(job) < after]
    more = len(left) > limit
    return JobsAnswer(jobs=[JobAnswer.of(job) for job in left[:limit]], next=_place(left[limit - 1]) if more else None)


@reading.get("/jobs/{job}", summary="How far a job is", responses=_documented(401, 403, 404, 422, 429))
async def job(job: JobId, desk: Working, caller: Calling) -> JobAnswer:
    """Its state, counts and rate."""
    return JobAnswer.of(await _own(desk, caller, job))


@reading.get(
    "/jobs/{job}/result",
    summary="The tagged file",
    response_class=WholeFile,
    responses={
        200: {
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            "description": "The file, of its own type and with its name.",
        },
        **_documented(401, 403, 404, 409, 422, 429),
    },
)
async def result(job: JobId, desk: Working, caller: Calling) -> WholeFile:
    """The same file with the tags in new columns. 409 while the job is not done, and if it failed."""
    found = await _done(desk, caller, job)
    path, name = desk.store.folder(found.id) / str(found.result), found.result_name
    return WholeFile(path, media_type=media_type(name), filename=name)


@reading.get(
    "/jobs/{job}/errors",
    summary="The rows that were not tagged",
    response_model=ErrorsAnswer,
    responses=_documented(401, 403, 404, 409, 422, 429),
)
async def errors(job: JobId, desk: Working, caller: Calling) -> WholeFile:
    """Their numbers, and why, with nothing of what they say. 409 while the job is not done, and if it failed."""
    found = await _done(desk, caller, job)
    return WholeFile(desk.store.folder(found.id) / ERRORS, media_type="application/json")


@reading.delete(
    "/jobs/{job}",
    summary="Cancel or delete a job",
    response_model=JobAnswer,
    responses={
        200: {"description": "It had not ended, and is cancelled: its file is removed."},
        204: {"description": "It had ended, and is deleted with its result."},
        **_documented(401, 403, 404, 422, 429, 503),
    },
)
async def delete(job: JobId, desk: Working, caller: Calling) -> Any:  # noqa: ANN401 — one of two answers
    """Cancel a job that has not ended; delete one that has."""
    found = await _own(desk, caller, job)
    if found.ended:
        await to_thread.run_sync(desk.store.forget, found.id)
        return Response(status_code=204)
    return JobAnswer.of(await to_thread.run_sync(desk.cancel, found))


def _owner(caller: Caller) -> str:
    """The name of the key; the callers of a service that asks for none are one."""
    return caller.name if caller.key else ""


def _may(caller: Caller, job: Job) -> bool:
    return caller.key is None or caller.key.may(Scope.ADMIN) or caller.name == job.owner


def _place(job: Job) -> str:
    """What sorts as jobs are listed."""
    return f"{job.created:%Y%m%dT%H%M%S.%f}~{job.id}"


async def _own(desk: Desk, caller: Caller, job: str) -> Job:
    """A job that the caller may see; UnknownJobError if there is none, and all the same if it is another's."""
    found = await to_thread.run_sync(desk.store.get, job)
    if not _may(caller, found):
        raise UnknownJobError("job", "is not there", "It has expired, was deleted, or is another caller's")
    return found


async def _done(desk: Desk, caller: Caller, job: str) -> Job:
    found = await _own(desk, caller, job)
    if found.state != "done":
        remedy = "Ask again when it is done" if found.open else "Send the file again"
        raise JobStateError(found.id, f"has no result: it is {found.state}", remedy)
    return found
