"""A project of Label Studio as a place."""

from __future__ import annotations

from collections import Counter

from labels.erasure.asked import Asked, form, task_id
from labels.erasure.place import Found
from labels.errors import StudioError
from labels.studio import FETCHED, State, Studio, batches


class StudioPlace:
    """The project of that title or number; StudioError if there is none."""

    kind = "Label Studio"

    def __init__(self, studio: Studio, project: str) -> None:
        self._studio, self._project = studio, studio.project(project)
        self.where = f"{self._project.title} on {studio.url}"

    def look(self, asked: Asked) -> Found:
        looked, mine = self._tasks(asked)
        found = Found(looked)
        for state, counts in mine:
            found.counts += counts
            text = state.data.get("text")
            if asked.has_id(task_id(state.data)) and isinstance(text, str):
                found.texts |= {form(text)} - {""}
        return found

    def erase(self, asked: Asked) -> Found:
        looked, mine = self._tasks(asked)
        found = Found(looked)
        for done, (state, counts) in enumerate(mine):
            try:
                self._studio.remove(state.id)
            except StudioError as error:
                found.left.append(f"{len(mine) - done:,} tasks are left: {error}")
                break
            found.counts += counts
        return found

    def _tasks(self, asked: Asked) -> tuple[int, list[tuple[State, Counter[str]]]]:
        """How many tasks there are, and those that are meant, each with what goes with it."""
        states = list(self._studio.states(self._project))
        mine = [state for state in states if asked.has_task(state.data)]
        answers: dict[int, int] = {}
        for block in batches((state.id for state in mine), FETCHED):
            stored = self._studio.annotations(self._project, block)
            answers |= {task: len(annotations) for task, annotations in stored.items()}
        return len(states), [(state, _counted(answers.get(state.id, 0), state.predictions)) for state in mine]


def _counted(annotations: int, predictions: int) -> Counter[str]:
    return Counter({"tasks": 1, "annotations": annotations, "predictions": predictions})
