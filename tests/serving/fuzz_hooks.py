"""For schemathesis: rules that JSON Schema cannot say."""

from __future__ import annotations

from typing import Any

import schemathesis

from labels.interface import configuration
from tests.bundles import tiny_taxonomy

PAGE = configuration(tiny_taxonomy())


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Make a body that fits the schema one that the service takes."""
    if isinstance(case.body, dict):
        _name_once(case.body.get("watchlist"))
        if isinstance(case.body.get("label_config"), str):
            case.body["label_config"] = PAGE  # another one is refused: its tags are not the model's


def _name_once(watchlist: object) -> None:
    """A name listed twice is refused, whatever the schema of `POST /v1/tag` allows."""
    if isinstance(watchlist, list):
        seen: list[Any] = []
        for entry in list(watchlist):
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                if entry["name"] in seen:
                    watchlist.remove(entry)
                seen.append(entry["name"])
