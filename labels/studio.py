"""A project on a Label Studio server, over its REST interface.

Not over `label-studio-sdk`: it brings pandas, OpenCV and an older numpy with it, takes five seconds to import and
sends a POST again when the answer is lost, which doubles tasks. What is needed here is a dozen calls.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any

from labels.errors import StudioError
from labels.extra import library

if TYPE_CHECKING:
    import httpx

URL, TOKEN = "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"
"""The environment's variables of the server's address and of a user's token, as Label Studio's own tools have them."""
LOCAL = "http://127.0.0.1:8080"
LISTED = 1000
"""Tasks to a page when only their state is asked for."""
FETCHED = 250
"""Tasks to a page with their annotations: the server answers in a second."""
_SECONDS = 120.0
_REFRESH = "/api/token/refresh"
_HIDDEN = (
    *("inner_id", "annotations_results", "annotations_ids", "predictions_results", "predictions_model_versions"),
    *("file_upload", "storage_filename", "created_at", "updated_at", "updated_by", "avg_lead_time", "draft_exists"),
    *("allow_skip", "data.mention", "data.id", "data.target", "data.watchlist", "data.lang", "data.round"),
)
"""Columns of a saved view that say nothing to a labeller."""


@dataclass(frozen=True)
class Project:
    """A project: its number, title and labelling configuration."""

    id: int
    title: str
    schema: str


@dataclass(frozen=True)
class State:
    """A task without its annotations: enough to tell whether they changed."""

    id: int
    data: Mapping[str, Any]
    stamp: str
    """Changes whenever the task or any of its annotations does."""
    predictions: int


@dataclass(frozen=True)
class Annotation:
    """One person's answer. `skipped` says that there is none on purpose."""

    id: int
    who: int
    result: Sequence[Mapping[str, Any]]
    skipped: bool
    updated_at: str


@dataclass(frozen=True)
class Suggestion:
    """A model's answer to a task."""

    id: int
    result: Sequence[Mapping[str, Any]]


class Studio:
    """A connection. Every error of the server or the network is a StudioError without any of its data."""

    def __init__(self, *, url: str | None = None, token: str | None = None) -> None:
        self.url = (url or os.environ.get(URL) or LOCAL).rstrip("/")
        token = token or os.environ.get(TOKEN, "")
        if not token:
            raise StudioError(TOKEN, "is not set", "Set it to the access token of your Label Studio account")
        client = library("httpx")
        # Only the making of a connection is tried again, never a request: it may have been carried out.
        transport = client.HTTPTransport(retries=2)
        self._client: httpx.Client = client.Client(base_url=self.url, timeout=_SECONDS, transport=transport)
        self._client.headers["Authorization"] = f"Token {token}"
        self._personal = token if token.count(".") == 2 else ""  # it buys others, each good for some minutes
        if self._personal:
            self._renew()

    def _renew(self) -> None:
        self._client.headers.pop("Authorization", None)
        answer = self._ask("POST", _REFRESH, json={"refresh": self._personal})
        self._client.headers["Authorization"] = f"Bearer {answer['access']}"

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def project(self, name: str) -> Project:
        """The project of that number or title; StudioError if there is none, or several of the title."""
        found = [entry for entry in self._projects() if name in (str(entry["id"]), entry["title"])]
        exact = [entry for entry in found if name == str(entry["id"])] or found
        if len(exact) != 1:
            problem = f"{name!r} is the title of {len(exact)} projects" if exact else f"{name!r} is no project's title"
            raise StudioError("project", f"{problem} on {self.url}", "Give its number, or make it: tympan labels init")
        entry = self._ask("GET", f"/api/projects/{exact[0]['id']}")
        return Project(entry["id"], entry["title"], entry["label_config"])

    def create(self, title: str, schema: str, *, description: str, version: str) -> Project:
        """Make a project whose page is filled in with the predictions of `version`."""
        if any(entry["title"] == title for entry in self._projects()):
            raise StudioError("project", f"{title!r} is there already on {self.url}", "Choose another title")
        self._ask("POST", "/api/projects/validate", json={"label_config": schema})
        settings = {
            "title": title,
            "label_config": schema,
            "description": description,
            "show_collab_predictions": True,
            "model_version": version,
            "maximum_annotations": 2,
            "sampling": "Uncertainty sampling",
            "show_skip_button": True,
            "enable_empty_annotation": False,
        }
        entry = self._ask("POST", "/api/projects", json=settings)
        return Project(entry["id"], entry["title"], entry["label_config"])

    def configure(self, project: Project, **settings: object) -> None:
        """Change settings of a project, such as `label_config` or `model_version`."""
        self._ask("PATCH", f"/api/projects/{project.id}", json=settings)

    def states(self, project: Project) -> Iterator[State]:
        """Every task of the project, without annotations."""
        wanted = "id,data,updated_at,total_annotations,cancelled_annotations,total_predictions"
        for entry in self._tasks(project, LISTED, fields="task_only", include=wanted):
            counts = f"{entry['total_annotations']}+{entry['cancelled_annotations']}"
            yield State(entry["id"], entry["data"], f"{entry['updated_at']} {counts}", entry["total_predictions"])

    def annotations(self, project: Project, tasks: Sequence[int]) -> dict[int, list[Annotation]]:
        """Task → its annotations, for at most FETCHED tasks; one that is gone is missing."""
        # The list holds for what is nested as well, so that an annotation comes with these fields alone.
        entries = self._among(project, tasks, "id,annotations,completed_by,result,was_cancelled,updated_at")
        return {entry["id"]: [_annotation(found) for found in entry["annotations"]] for entry in entries}

    def suggestions(self, project: Project, tasks: Sequence[int]) -> list[Suggestion]:
        """All predictions of at most FETCHED tasks."""
        entries = self._among(project, tasks, "id,predictions,result")
        return [Suggestion(found["id"], found["result"] or []) for entry in entries for found in entry["predictions"]]

    def revise(self, project: Project, stored: Annotation | Suggestion, result: Sequence[Mapping[str, Any]]) -> None:
        """Replace what an annotation or a suggestion says; whose it is stays. A suggestion must fit the page."""
        kind = "annotations" if isinstance(stored, Annotation) else "predictions"
        self._ask("PATCH", f"/api/{kind}/{stored.id}", json={"project": project.id, "result": result})

    def add(self, project: Project, tasks: Sequence[Mapping[str, Any]]) -> int:
        """Add tasks, with their predictions and annotations; returns how many predictions were kept."""
        answer = self._ask("POST", f"/api/projects/{project.id}/import", json=tasks)
        if answer["task_count"] != len(tasks):
            raise StudioError("import", f"kept {answer['task_count']} of {len(tasks)} tasks", "Run it again")
        return int(answer["prediction_count"])

    def predict(self, project: Project, predictions: Sequence[Mapping[str, Any]]) -> None:
        """Add predictions (`task`, `result`, `score`, `model_version`) to tasks that are there."""
        self._ask("POST", f"/api/projects/{project.id}/import/predictions", json=predictions)

    def change(self, task: int, data: Mapping[str, Any]) -> None:
        """Replace a task's data."""
        self._ask("PATCH", f"/api/tasks/{task}", json={"data": data})

    def remove(self, task: int) -> None:
        """Delete a task, with its annotations and predictions."""
        self._ask("DELETE", f"/api/tasks/{task}")

    def people(self) -> dict[int, str]:
        """User's number → name, which is the e-mail address."""
        return {entry["id"]: entry["email"] or entry["username"] for entry in self._ask("GET", "/api/users")}

    def views(self, project: Project) -> list[str]:
        """The titles of the project's saved views."""
        found = self._ask("GET", "/api/dm/views", params={"project": project.id})
        return [entry["data"].get("title", "") for entry in found]

    def save_view(self, project: Project, title: str, filters: Sequence[Mapping[str, Any]]) -> None:
        """Save a view of the tasks that pass all `filters`, with the columns that labellers need."""
        data = {"title": title, "filters": {"conjunction": "and", "items": list(filters)}, "type": "list"}
        data["hiddenColumns"] = {"explore": [f"tasks:{name}" for name in _HIDDEN], "labeling": []}
        self._ask("POST", "/api/dm/views", json={"project": project.id, "data": data})

    def link(self, project: Project, task: int) -> str:
        """Where a person sees a task."""
        return f"{self.url}/projects/{project.id}/data?task={task}"

    def _projects(self) -> Iterator[Mapping[str, Any]]:
        page = 1
        while True:
            answer = self._ask("GET", "/api/projects", params={"page": page, "page_size": 100, "include": "id,title"})
            yield from answer["results"]
            if not answer["next"]:
                return
            page += 1

    def _tasks(self, project: Project, size: int, **params: str) -> Iterator[Mapping[str, Any]]:
        page, seen, total = 1, 0, 0
        while True:
            answer = self._ask(
                "GET", "/api/tasks", params={"project": project.id, "page": page, "page_size": size, **params}
            )
            if answer["total"] < total:  # the pages after have moved up, and with them went tasks unseen
                raise StudioError("project", "lost tasks while it was read", "Run it again")
            yield from answer["tasks"]
            seen, total = seen + len(answer["tasks"]), answer["total"]
            if seen >= answer["total"] or not answer["tasks"]:
                return
            page += 1

    def _among(self, project: Project, tasks: Sequence[int], include: str) -> Iterator[Mapping[str, Any]]:
        query = json.dumps({"selectedItems": {"all": False, "included": list(tasks)}, "ordering": ["tasks:id"]})
        return self._tasks(project, FETCHED, fields="all", include=include, query=query)

    def _ask(self, method: str, path: str, **given: Any) -> Any:  # noqa: ANN401  whatever JSON holds
        with self._told(path):
            answer = self._client.request(method, path, **given)
            if answer.status_code == 401 and self._personal and path != _REFRESH:  # it was not carried out
                self._renew()
                answer = self._client.request(method, path, **given)
            answer.raise_for_status()
            return answer.json() if answer.content else None

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """Errors of the network and of the server as ours."""
        httpx = library("httpx")
        try:
            yield
        except httpx.HTTPStatusError as error:
            raise _refused(error.response.status_code, self.url, path) from None
        except httpx.TransportError as error:
            reason = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "cannot be reached"
            raise StudioError(self.url, reason, "See that Label Studio runs there, then run it again") from None
        except ValueError:  # a page where JSON was expected: another server, or a proxy's
            raise StudioError(self.url, "answers with something that is no JSON", f"See {URL}") from None


def _refused(status: int, url: str, path: str) -> StudioError:
    if status in (401, 403):
        return StudioError(TOKEN, f"is not accepted by {url}", "Copy the token from Account & Settings there")
    if status == 404:
        return StudioError(url, f"has nothing at {path}", f"See {URL} and the project's number")
    return StudioError(url, f"answered {status} to {path}", "See the server's log")


def _annotation(entry: Mapping[str, Any]) -> Annotation:
    who = entry["completed_by"]
    who = int(who["id"] if isinstance(who, Mapping) else who or 0)
    return Annotation(entry["id"], who, entry["result"] or [], bool(entry["was_cancelled"]), entry["updated_at"])


def batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """`items` in lists of `size`, the last one shorter."""
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch
