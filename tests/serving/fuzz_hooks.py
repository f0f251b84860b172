"""For schemathesis: a rule of `POST /v1/tag` that JSON Schema cannot say."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Name every organisation once: a name listed twice is refused, whatever the schema allows."""
    watchlist = case.body.get("watchlist") if isinstance(case.body, dict) else None
    if isinstance(watchlist, list):
        seen: list[Any] = []
        for entry in list(watchlist):
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                if entry["name"] in seen:
                    watchlist.remove(entry)
                seen.append(entry["name"])
