"""The service for tools that speak to text-embeddings-inference: `POST /predict`, with a tag for a label.

Where the two differ: a list of texts is always a batch, since a pair of texts has no tags; a long text is read in
windows, so that there is nothing to truncate; and labels are those that the text gets, not all there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, Field, RootModel, WithJsonSchema

from model.tagger import Failed, Tagged
from serving import problems
from serving.admission import Calling
from serving.errors import UncomputedError
from serving.schemas import Told
from serving.service import Served
from serving.texts import Spoken, Text, TextsRoute, TimeoutMs, tagged

Alone = Annotated[list[Text], Field(min_length=1, max_length=1)]


def _calibrated(raw: bool) -> bool:
    if raw:
        raise ValueError("is true, and there are no raw scores here")
    return raw


# Not Literal[False], for which 0 is as good.
CalibratedOnly = Annotated[bool, AfterValidator(_calibrated), WithJsonSchema({"const": False})]


class LabelRequest(Spoken):
    """Texts to label."""

    inputs: Text | list[Text] | list[Alone] = Field(
        description="A text, or a batch of texts, each as it is or in a list of its own.",
        examples=["Je résilie, trois pannes en un mois", [["Grazie mille!"], ["How do I cancel?"]]],
    )
    raw_scores: CalibratedOnly = Field(False, description="Scores are calibrated probabilities, and no others.")
    truncate: bool = Field(False, description="Of no effect: a long text is read in windows, to its end.")


class Prediction(Told):
    """A label of a text and how likely it is."""

    score: float = Field(ge=0.0, le=1.0, description="A calibrated probability.")
    label: str = Field(description="The group and the tag.", examples=["intent/churn"])


class LabelAnswer(RootModel[list[list[Prediction]] | list[Prediction]]):
    """The labels of each text, the likeliest first; for one text that is in no list, its labels alone."""


calls = APIRouter(route_class=TextsRoute, tags=["compatibility"])


@calls.post(
    "/predict",
    summary="Label texts, as text-embeddings-inference does",
    responses=problems.documented(401, 403, 408, 413, 415, 422, 429, 503, 504),
)
async def predict(asked: LabelRequest, service: Served, caller: Calling, timeout_ms: TimeoutMs = None) -> LabelAnswer:
    """Give every text the labels `group/tag` whose threshold it reaches, and their parents.

    A text that none applies to, or with nothing in it to read, gets an empty list. A text that the model fails on is
    422, since this protocol has no place for it: `POST /v1/tag` tags the others all the same, and names its model.
    """
    alone = isinstance(asked.inputs, str)
    found = await tagged(_texts(asked.inputs), service, caller, timeout_ms)
    predictions = [_predictions(result, place) for place, result in enumerate(found)]
    return LabelAnswer(predictions[0] if alone else predictions)


def _texts(inputs: str | Sequence[str] | Sequence[list[str]]) -> list[str]:
    if isinstance(inputs, str):
        return [inputs]
    return [text if isinstance(text, str) else text[0] for text in inputs]


def _predictions(result: Tagged | Failed, place: int) -> list[Prediction]:
    if isinstance(result, Failed):
        if result.error.problem == "is empty":
            return []
        raise UncomputedError(f"inputs/{place}", result.error.problem, result.error.remedy)
    scores = [
        Prediction(score=round(score.score, 4), label=f"{group}/{score.tag}")
        for group, scores in result.tags.items()
        for score in scores
    ]
    return sorted(scores, key=lambda prediction: -prediction.score)
