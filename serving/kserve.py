"""The service for tools that speak the Open Inference Protocol, also known as KServe's V2, in JSON.

The model has the name of its taxonomy, which stays when a better one follows it; answers name its version. One tensor
goes in, `text`, and one comes out, `tags`, with one element for each text: a JSON object of what `POST /v1/tag` says
of a mention, its `lang` and `tags`, or an `error`. There is no binary extension.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Request
from pydantic import Field, model_validator

from model.tagger import Failed, Tagged, as_dicts
from serving import problems
from serving.admission import Calling, OpenRoute
from serving.errors import NotReadyError, UnknownModelError
from serving.schemas import Id, Told
from serving.service import Served, Service
from serving.settings import version
from serving.texts import Spoken, Text, TextsModelRoute, TextsRoute, TimeoutMs, tagged

_PLATFORM = "onnxruntime_onnx"
Extent = Annotated[int, Field(strict=False, ge=0, le=2**31)]  # JSON's 2.0 is an integer too


class InputTensor(Spoken):
    """The texts."""

    name: Literal["text"]
    datatype: Literal["BYTES"]
    shape: list[Extent] = Field(min_length=1, max_length=2, description="The texts' count, with a 1 beside it or not.")
    data: list[Text] | list[list[Text]] = Field(description="The texts, flat or nested as the shape says.")

    @property
    def texts(self) -> list[str]:
        """The texts in row-major order."""
        return [text for row in self.data for text in ([row] if isinstance(row, str) else row)]

    @model_validator(mode="after")
    def _whole(self) -> InputTensor:
        if math.prod(self.shape) != len(self.texts):
            raise ValueError(f"has {len(self.texts)} elements, which is not what its shape says")
        return self


class WantedTensor(Spoken):
    """An output that is wanted; there is but one."""

    name: Literal["tags"]


class InferRequest(Spoken):
    """Texts to tag."""

    id: Id | None = Field(None, description="The caller's own name for the call, given back.")
    inputs: list[InputTensor] = Field(min_length=1, max_length=1)
    outputs: list[WantedTensor] | None = Field(None, max_length=1)


class TensorEntry(Told):
    """What a tensor is like; -1 stands for any size."""

    name: str
    datatype: str
    shape: list[int]


class OutputTensor(TensorEntry):
    """The tags of each text."""

    data: list[str] = Field(
        description="A JSON object for each text.",
        examples=[['{"lang": "fr", "tags": {"intent": [{"tag": "churn", "score": 0.98}], "topic": []}}']],
    )


class InferAnswer(Told):
    """The tags of the texts."""

    model_name: str
    model_version: str = Field(examples=["listening-3f1c0a9b7d2e"])
    id: str
    outputs: list[OutputTensor]


class ServerAnswer(Told):
    """What serves."""

    name: str
    version: str
    extensions: list[str]


class MetadataAnswer(Told):
    """What the model takes and gives."""

    name: str
    platform: str
    inputs: list[TensorEntry]
    outputs: list[TensorEntry]


class LiveAnswer(Told):
    """Whether the service lives."""

    live: Literal[True]


class ReadyAnswer(Told):
    """Whether the service takes requests."""

    ready: Literal[True]


class NamedReadyAnswer(ReadyAnswer):
    """Whether a model takes requests."""

    name: str


probes = APIRouter(prefix="/v2", route_class=OpenRoute, tags=["compatibility"])
reading = APIRouter(prefix="/v2", route_class=TextsModelRoute, tags=["compatibility"])
calls = APIRouter(prefix="/v2", route_class=TextsRoute, tags=["compatibility"])


@probes.get("/health/live", summary="Whether the service lives, for KServe", responses=problems.documented(401, 429))
async def live() -> LiveAnswer:
    """Always true while the process answers at all."""
    return LiveAnswer(live=True)


@probes.get(
    "/health/ready", summary="Whether the service is ready, for KServe", responses=problems.documented(401, 429, 503)
)
async def ready(request: Request) -> ReadyAnswer:
    """True once the model is loaded and warm, and until the service stops; 503 else."""
    _check_ready(request)
    return ReadyAnswer(ready=True)


@reading.get("", summary="The service, for KServe", responses=problems.documented(401, 403, 429))
async def server() -> ServerAnswer:
    """Its name and version."""
    return ServerAnswer(name="tympan", version=version(), extensions=[])


@reading.get("/models/{name}", summary="The model, for KServe", responses=problems.documented(401, 403, 404, 422, 429))
async def model(name: str, service: Served) -> MetadataAnswer:
    """The tensors that it takes and gives. Its name is that of its tag set: see `name` in `GET /v1/taxonomy`."""
    _check_name(name, service)
    return MetadataAnswer(
        name=name,
        platform=_PLATFORM,
        inputs=[TensorEntry(name="text", datatype="BYTES", shape=[-1])],
        outputs=[TensorEntry(name="tags", datatype="BYTES", shape=[-1])],
    )


@reading.get(
    "/models/{name}/ready",
    summary="Whether the model is ready, for KServe",
    responses=problems.documented(401, 403, 404, 422, 429, 503),
)
async def model_ready(name: str, service: Served, request: Request) -> NamedReadyAnswer:
    """True when the service is ready; 503 else."""
    _check_name(name, service)
    _check_ready(request)
    return NamedReadyAnswer(name=name, ready=True)


@calls.post(
    "/models/{name}/infer",
    summary="Tag texts, as KServe does",
    responses=problems.documented(401, 403, 404, 408, 413, 415, 422, 429, 503, 504),
)
async def infer(
    name: str, asked: InferRequest, service: Served, caller: Calling, timeout_ms: TimeoutMs = None
) -> InferAnswer:
    """Give every text its tags. A text that cannot be tagged has an `error`, and the others their tags."""
    _check_name(name, service)
    (tensor,) = asked.inputs
    found = await tagged(tensor.texts, service, caller, timeout_ms)
    output = OutputTensor(name="tags", datatype="BYTES", shape=tensor.shape, data=_elements(found))
    return InferAnswer(model_name=name, model_version=service.model, id=asked.id or str(uuid4()), outputs=[output])


def _elements(found: Sequence[Tagged | Failed]) -> list[str]:
    return [json.dumps(_element(result), ensure_ascii=False) for result in found]


def _element(result: Tagged | Failed) -> dict[str, Any]:
    if isinstance(result, Failed):
        return {"error": str(result.error)}
    return {"lang": result.lang, "tags": as_dicts(result.tags)}


def _check_name(name: str, service: Service) -> None:
    if name != service.tagger.taxonomy.name:
        raise UnknownModelError("model", "is not served by that name", f"Call it {service.tagger.taxonomy.name}")


def _check_ready(request: Request) -> None:
    if not request.app.state.ready or not request.app.state.service.line.alive:
        raise NotReadyError("service", "is starting or stopping", "Try again soon")
